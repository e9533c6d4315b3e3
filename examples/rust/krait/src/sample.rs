//! Choosing tokens.

use std::ptr;

use crate::error::check;
use crate::{sys, Result};

/// Random numbers in your hands; copy it with your snapshot.  The same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rng {
    word: [u64; 2],
}

impl Rng {
    /// Another seed, other numbers.
    pub fn new(seed: u64) -> Rng {
        let mut raw = sys::krait_rng::default();
        // SAFETY: writes the two words.
        unsafe { sys::krait_rng_seed(&mut raw, seed) };
        Rng { word: raw.word }
    }
}

/// How a token is chosen out of logits: repetition, temperature, top-k, top-p, min-p, in this order.
///
/// ```
/// use krait::Sampler;
/// let mut logits = [0.0, 3.0, 1.0];
/// assert_eq!(Sampler::greedy().sample(&mut logits)?, 1);
/// let mut sampler = Sampler::new(7).temperature(0.8).top_k(2);
/// let token = sampler.sample(&mut [0.0, 3.0, 1.0])?;
/// assert!(token == 1 || token == 2);
/// # Ok::<(), krait::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sampler {
    /// Copy it out and in to rewind.
    pub rng: Rng,
    temperature: f32,
    top_p: f32,
    min_p: f32,
    repetition: f32,
    top_k: u32,
}

impl Sampler {
    /// Always the likeliest token; ties go to the lower id.
    pub fn greedy() -> Sampler {
        Sampler::new(0).temperature(0.0)
    }

    /// By chance, of temperature 1.
    pub fn new(seed: u64) -> Sampler {
        Sampler {
            rng: Rng::new(seed),
            temperature: 1.0,
            top_p: 0.0,
            min_p: 0.0,
            repetition: 0.0,
            top_k: 0,
        }
    }

    /// How freely; 0 is greedy.
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Among the likeliest tokens that have this probability together; 0: off.
    pub fn top_p(mut self, top_p: f32) -> Self {
        self.top_p = top_p;
        self
    }

    /// Among tokens at least so many times as likely as the likeliest; 0: off.
    pub fn min_p(mut self, min_p: f32) -> Self {
        self.min_p = min_p;
        self
    }

    /// Among so many of the likeliest; 0: off.
    pub fn top_k(mut self, top_k: u32) -> Self {
        self.top_k = top_k;
        self
    }

    /// Above 1: tokens that came lately become less likely; 0: off.
    pub fn repetition(mut self, repetition: f32) -> Self {
        self.repetition = repetition;
        self
    }

    /// A token.  The logits are scratch and are not what they were afterwards.
    pub fn sample(&mut self, logits: &mut [f32]) -> Result<i32> {
        self.sample_after(logits, &[])
    }

    /// The same where `recent` are the tokens that [`repetition`](Sampler::repetition) looks at.
    pub fn sample_after(&mut self, logits: &mut [f32], recent: &[i32]) -> Result<i32> {
        let options = sys::krait_sample_options {
            temperature: self.temperature,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition: self.repetition,
            top_k: self.top_k,
            recent: if recent.is_empty() { ptr::null() } else { recent.as_ptr() },
            recent_count: recent.len(),
            ..Default::default()
        };
        let mut rng = sys::krait_rng { word: self.rng.word };
        let mut token = 0;
        // SAFETY: all pointers are to live values with their lengths.
        check(unsafe {
            sys::krait_sample(logits.as_mut_ptr(), logits.len(), &options, &mut rng, &mut token)
        })?;
        self.rng.word = rng.word;
        Ok(token)
    }
}
