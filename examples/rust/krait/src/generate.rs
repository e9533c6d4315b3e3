//! Text that a model writes, piece by piece.

use crate::error::check;
use crate::{sys, Decoder, Error, Input, Result, Sampler, State};

/// Tokens that `Sampler::repetition` looks back on, as in `krait generate`.
const RECENT: usize = 64;

/// Made by [`State::generate`]: pieces of text, whole characters each.  What came out has been read by the state, too:
/// drop it at any time, and the state goes on from there.
pub struct Generate<'s> {
    state: &'s mut State,
    sampler: &'s mut Sampler,
    decoder: Decoder,
    /// What follows; sampling uses it up.
    logits: Vec<f32>,
    /// Of the logits; what lies behind is padding of the model's.
    choices: usize,
    recent: Vec<i32>,
    left: usize,
    end: Option<i32>,
    flushed: bool,
}

impl State {
    /// Read a prompt and write up to `most` tokens behind it, as `krait generate` does; without a prompt it begins
    /// after an end of text.  The state has one lane, the model a vocabulary.
    ///
    /// ```
    /// use krait::Sampler;
    /// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
    /// let (mut state, mut sampler) = (model.state()?, Sampler::greedy());
    /// let pieces = state.generate("It was a dark and stormy ", &mut sampler, 20)?;
    /// let text: String = pieces.collect::<Result<_, _>>()?;
    /// assert_eq!(text.len(), 20);
    /// # Ok::<(), krait::Error>(())
    /// ```
    pub fn generate<'s>(
        &'s mut self,
        prompt: &str,
        sampler: &'s mut Sampler,
        most: usize,
    ) -> Result<Generate<'s>> {
        if self.lanes() != 1 {
            return Err(Error::argument("a state of one lane generates text"));
        }
        let Some(tokenizer) = self.model().tokenizer() else {
            return Err(check(sys::KRAIT_ERR_UNSUPPORTED).unwrap_err());
        };
        let mut tokens = match prompt {
            "" => Vec::new(),
            prompt => tokenizer.with_flags(sys::KRAIT_TEXT_AROUND).encode(prompt)?,
        };
        if tokens.is_empty() {
            tokens.push(self.model().end_token().unwrap_or(0));
        }
        let flags = if prompt.is_empty() { 0 } else { sys::KRAIT_TEXT_GOES_ON };
        let mut all = Generate {
            logits: self.run(Input::tokens(&tokens).last())?.rows,
            choices: self.model().out_width().min(self.model().vocabulary()),
            decoder: tokenizer.with_flags(flags).decoder(),
            state: self,
            sampler,
            recent: Vec::with_capacity(RECENT),
            left: most,
            end: None,
            flushed: false,
        };
        tokens.iter().for_each(|token| all.remember(*token));
        Ok(all)
    }
}

impl Generate<'_> {
    /// Stop where the model ends the text.
    pub fn stop_at_end(mut self) -> Self {
        self.end = self.state.model().end_token();
        self
    }

    fn remember(&mut self, token: i32) {
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(token);
    }

    /// Choose one token, read it, and give its text.
    fn choose(&mut self) -> Result<String> {
        let logits = &mut self.logits[..self.choices];
        let token = self.sampler.sample_after(logits, &self.recent)?;
        if self.end == Some(token) {
            self.left = 0;
            return Ok(String::new());
        }
        self.left -= 1;
        self.remember(token);
        self.state.step(&[token], &mut self.logits)?;
        match self.decoder.push(token) {
            // A padded model has ids without a token.
            Err(error) if error.status() == crate::Status::Argument => Ok(String::new()),
            piece => piece,
        }
    }
}

impl Iterator for Generate<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            match self.choose() {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Some(Ok(piece)),
                Err(error) => {
                    (self.left, self.flushed) = (0, true);
                    return Some(Err(error));
                }
            }
        }
        if self.flushed {
            return None;
        }
        self.flushed = true;
        self.decoder.finish().map(|rest| (!rest.is_empty()).then_some(rest)).transpose()
    }
}
