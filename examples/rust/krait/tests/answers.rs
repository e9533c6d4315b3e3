//! Refusals, and what is rarer than stepping: trees of one's own, lanes, times, marks, cancelling.

use krait::sys;
use krait::{Input, Lane, Model, Nan, Output, SlotKind, StateOptions, Status, Tensor, Tokenizer};

const NOVELS: &str = "../../models/mamba-novels.gguf";
const MOTION: &str = "../../models/s5-har.safetensors";

fn status<T>(result: krait::Result<T>) -> Status {
    result.err().expect("a refusal").status()
}

#[test]
fn opening_refuses() {
    assert_eq!(status(Model::open("no such.gguf")), Status::Io);
    assert_eq!(status(Model::open("a\0b")), Status::Argument);
    assert_eq!(status(Model::options().open_memory(b"not a model at all")), Status::Format);
    assert_eq!(status(Model::options().max_bytes(1000).open(NOVELS)), Status::Memory);
    assert_eq!(status(Model::options().progress(|_, _| false).open(NOVELS)), Status::Cancelled);
    assert_eq!(status(Model::options().description("{").open(MOTION)), Status::Format);
    assert_eq!(status(Model::options().create("{}", &[])), Status::Format);
    assert_eq!(status(Tokenizer::open("no such.json")), Status::Io);
    assert_eq!(status(Tokenizer::open_memory(b"{}")), Status::Format);
    let error = Model::open("no such.gguf").unwrap_err();
    assert!(error.message().contains("no such.gguf"), "{error}");
}

#[test]
fn opening_reads_bytes_and_tells_progress() {
    let file = std::fs::read(NOVELS).unwrap();
    let mut most = 0;
    let model = Model::options()
        .check(true)
        .progress(|done, total| {
            most = most.max(done);
            done <= total
        })
        .open_memory(&file)
        .unwrap();
    let other = Model::open(NOVELS).unwrap();
    assert!(model.same_as(&other) && model.hash() == other.hash());
    drop(model);
    assert!(most > 1_000_000);
    assert_eq!(status(Model::options().open_static(&BYTES.0[1..])), Status::Alignment);
}

#[repr(align(64))]
struct Aligned([u8; 129]);
static BYTES: Aligned = Aligned([0; 129]);

#[test]
fn stepping_refuses_other_lengths() {
    let model = Model::open(NOVELS).unwrap();
    let mut state = model.state().unwrap();
    let mut out = vec![0.0; 256];
    assert_eq!(status(state.step(&[1, 2], &mut out)), Status::Argument);
    assert_eq!(status(state.step::<i32>(&[], &mut out)), Status::Argument);
    assert_eq!(status(state.step(&[1], &mut out[..255])), Status::Argument);
    assert_eq!(status(state.step(&[0.5; 255], &mut out)), Status::Argument);
    assert_eq!(status(state.step(&[256], &mut out)), Status::Argument);
    assert_eq!(status(state.step(&[-1], &mut out)), Status::Argument);
    assert_eq!(state.hash(0), model.state().unwrap().hash(0));
    state.step(&[1], &mut out).unwrap();
    state.step(&[1], &mut []).unwrap();
}

#[test]
fn running_refuses_other_lengths() {
    let model = Model::open(MOTION).unwrap();
    let mut state = model.state_with(&StateOptions::default().lanes(2)).unwrap();
    let rows = vec![0.1; 2 * 10 * 9];
    let run = |input: Input<'_>, state: &mut krait::State| status(state.run(input));
    assert_eq!(run(Input::features(&rows[1..]), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).dt(&[1.0; 19]), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).reset(&[true; 21]), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).lengths(&[10]), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).lengths(&[10, 11]), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).dt(&[-1.0; 20]), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).keep("nothing"), &mut state), Status::Argument);
    assert_eq!(run(Input::features(&rows).order("a\0b", &[0]), &mut state), Status::Argument);
    assert_eq!(run(Input::tokens(&[0; 20]), &mut state), Status::Argument);
    assert_eq!(run(Input::default(), &mut state), Status::Argument);
    assert_eq!(
        state.hash(Lane::All),
        model.state_with(&StateOptions::default().lanes(2)).unwrap().hash(Lane::All)
    );
}

#[test]
fn lanes_run_at_their_own_lengths() {
    let model = Model::open(MOTION).unwrap();
    let rows: Vec<f32> = (0..2 * 10 * 9).map(|i| (i as f32 * 0.37).sin()).collect();
    let mut both = model.state_with(&StateOptions::default().lanes(2)).unwrap();
    let output = both.run(Input::features(&rows).lengths(&[10, 4])).unwrap();
    assert_eq!(output.counts, [10, 4]);
    let mut alone = model.state().unwrap();
    let wanted = alone.run(Input::features(&rows[90..90 + 36])).unwrap();
    assert_eq!(output.lane(1), wanted.lane(0));
    assert_eq!(output.row(1, 3), wanted.row(0, 3));
    assert!(output.rows[14 * output.width..].iter().all(|number| *number == 0.0));
    // A lane goes from state to state, whatever the number of lanes.
    let mut third = model.state_with(&StateOptions::default().lanes(3).chunk(5)).unwrap();
    third.copy_lane(2, &both, 1).unwrap();
    third.copy_within(0, 2).unwrap();
    assert_eq!(third.hash(0).unwrap(), alone.hash(0).unwrap());
    assert_eq!(status(third.copy_lane(3, &both, 1)), Status::Argument);
    assert_eq!(status(third.copy_from(&both)), Status::Argument);
    assert_eq!(status(third.reset(u32::MAX)), Status::Argument);
    assert_eq!(status(third.save(7)), Status::Argument);
}

#[test]
fn saved_forms_are_checked() {
    let (novels, motion) = (Model::open(NOVELS).unwrap(), Model::open(MOTION).unwrap());
    let mut state = novels.state().unwrap();
    state.step(&[65], &mut []).unwrap();
    let mut saved = state.save(0).unwrap();
    assert_eq!(status(motion.state().unwrap().load(0, &saved)), Status::Model);
    let before = state.hash(0).unwrap();
    let middle = saved.len() / 2;
    saved[middle] ^= 1;
    assert_eq!(status(state.load(0, &saved)), Status::Format);
    assert_eq!(status(state.load(0, &saved[..10])), Status::Format);
    assert_eq!(status(state.load(0, &[])), Status::Format);
    assert_eq!(state.hash(0).unwrap(), before);
    assert_eq!(status(state.set_model(&motion)), Status::Model);
    state.set_model(&Model::open(NOVELS).unwrap()).unwrap();
    state.step(&[65], &mut []).unwrap();
}

#[test]
fn rows_that_are_nan_are_held_and_marked() {
    let model = Model::open(MOTION).unwrap();
    let mut rows = vec![0.25; 5 * 9];
    rows[2 * 9 + 4] = f32::NAN;
    let mut state = model.state().unwrap();
    assert_eq!(status(state.run(Input::features(&rows).nan(Nan::Refuse))), Status::Argument);
    let output = state.run(Input::features(&rows).nan(Nan::Hold)).unwrap();
    let held: Vec<bool> = (0..5).map(|step| output.is_held(0, step)).collect();
    assert_eq!(held, [false, false, true, false, false]);
    let mut other = model.state().unwrap();
    other.run(Input::features(&[0.25; 4 * 9])).unwrap();
    assert_eq!(state.hash(0), other.hash(0));
}

#[test]
fn running_is_cancelled_between_chunks() {
    let model = Model::open(NOVELS).unwrap();
    let tokens = vec![97; 40];
    let mut state = model.state_with(&StateOptions::default().chunk(8)).unwrap();
    let mut output = Output::default();
    let mut calls = 0;
    let mut stop = |_, _| {
        calls += 1;
        calls < 2
    };
    let input = Input::tokens(&tokens).progress(&mut stop);
    assert_eq!(status(state.run_into(input, &mut output)), Status::Cancelled);
    assert!(output.steps_done > 0 && output.steps_done < 40, "{}", output.steps_done);
    let rest = state.run(Input::tokens(&tokens[output.steps_done..]).last()).unwrap();
    let whole = model.state().unwrap().run(Input::tokens(&tokens).last()).unwrap();
    assert_eq!(rest.rows, whole.rows);
}

#[test]
fn a_panic_in_a_callback_comes_out_of_the_call() {
    let caught = std::panic::catch_unwind(|| {
        Model::options().progress(|_, _| panic!("planned")).open(NOVELS).map(|_| ())
    });
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"planned"));
}

#[test]
fn a_tree_of_one_s_own_with_orders_and_kept_rows() {
    let description = r#"{"model_type": "krait", "version": 1, "input": {"features": 2}, "tree": {"sequence": [
        {"linear": {"width": 3, "name": "in"}}, {"put": {"as": "inner"}},
        {"permute": {"input": "turn", "of": {"reverse": {"identity": {}}}}},
        {"branches": {"merge": "append", "of": [{"identity": {}}, {"identity": {}}]}}]}}"#;
    let weight = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let tensors = [Tensor::new("in.weight", &[3, 2], &weight)];
    let model = Model::options().create(description, &tensors).unwrap();
    let slots: Vec<_> = model.slots().map(|slot| (slot.name, slot.kind, slot.width)).collect();
    assert!(slots.contains(&("turn", SlotKind::Order, 1)), "{slots:?}");
    assert!(slots.contains(&("inner", SlotKind::Rows, 3)), "{slots:?}");
    assert!(!model.can_step());
    let mut state = model.state_with(&StateOptions::default().max_steps(4)).unwrap();
    assert_eq!(status(state.step(&[0.0; 2], &mut [])), Status::CannotStep);
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(status(state.run(Input::features(&rows))), Status::Argument);
    let input = Input::features(&rows).order("turn", &[2, 0, 1]).keep("inner");
    let output = state.run(input).unwrap();
    assert_eq!((output.counts[0], output.stride), (6, 6)); // twice the rows that went in
    assert_eq!(output.kept[0].rows, [1.0, 2.0, 3.0, 3.0, 4.0, 7.0, 5.0, 6.0, 11.0]);
    assert_eq!(
        (output.kept[0].name.as_str(), output.kept[0].width, output.kept[0].stride),
        ("inner", 3, 3)
    );
    assert_eq!(output.lane(0).len(), 18);
    assert_eq!(output.lane(0)[..9], output.lane(0)[9..]);
    // Five dimensions are no tensor of krait's.
    let five = [Tensor::new("in.weight", &[1, 1, 1, 3, 2], &weight)];
    assert_eq!(status(Model::options().create(description, &five)), Status::Argument);
}

#[test]
fn half_floats_are_bytes() {
    let description = r#"{"model_type": "krait", "version": 1, "input": {"features": 1},
        "tree": {"linear": {"width": 1, "name": "in"}}}"#;
    let two = 0x4000u16.to_le_bytes();
    let tensors = [Tensor::of_bytes("in.weight", &[1, 1], sys::KRAIT_F16, &two)];
    let model = Model::options().create(description, &tensors).unwrap();
    let mut out = [0.0];
    model.state().unwrap().step(&[1.5], &mut out).unwrap();
    assert_eq!(out, [3.0]);
}

#[test]
fn what_a_model_says_of_itself() {
    let model = Model::open(NOVELS).unwrap();
    assert!(model.keys().any(|key| key == "general.architecture"));
    assert_eq!(model.text("general.architecture"), Some("mamba"));
    assert_eq!(model.text("no such key"), None);
    assert!(model.text("krait.description").unwrap().contains("\"mamba1\""));
    assert_eq!(model.get(sys::KRAIT_VOCABULARY).unwrap(), 256);
    assert_eq!(status(model.get(9999)), Status::Unsupported);
    assert_eq!(model.parts().count(), 20);
    assert!(model.tensors().count() > 90);
    assert!(
        !krait::version().is_empty()
            && krait::numerics() >= 1
            && krait::build().contains("kernels")
    );
    let tokenizer = model.tokenizer().unwrap();
    assert_eq!((tokenizer.count(), tokenizer.token(65).unwrap().bytes), (256, b"A".as_slice()));
    assert_eq!(status(tokenizer.token(256)), Status::Argument);
    let mut decoder = tokenizer.decoder();
    assert_eq!(decoder.push(0xc3).unwrap(), "");
    assert_eq!(decoder.finish().unwrap(), "\u{fffd}");
    assert!(Model::open(MOTION).unwrap().tokenizer().is_none());
    assert_eq!(status(Model::open(MOTION).unwrap().encode("a")), Status::Unsupported);
}
