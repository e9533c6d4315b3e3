//! Everything made and given back once, on small models: tests/rust/check.sh runs this under valgrind.

use krait::{Input, Lane, Model, Nan, Output, Pool, Sampler, State, StateOptions, Status, Tensor};

const MOTION: &str = "../../models/s5-har.safetensors";
const NOVELS: &str = "../../models/mamba-novels.gguf";

fn tree() -> krait::Result<Model> {
    let description = r#"{"model_type": "krait", "version": 1, "input": {"features": 2},
        "tree": {"sequence": [{"linear": {"width": 3, "name": "in"}}, {"put": {"as": "inner"}}]}}"#;
    Model::options().create(description, &[Tensor::new("in.weight", &[3, 2], &[1.0; 6])])
}

#[test]
fn states_of_every_kind() {
    let model = Model::open(MOTION).unwrap();
    let pool = Pool::new(2);
    let options = StateOptions::default().lanes(2).chunk(8).tasks(2);
    let mut state = model.state_with(&options).unwrap();
    let rows = vec![0.5; 2 * 20 * 9];
    let mut output = Output::default();
    state.run_into(Input::features(&rows).parallel(&pool).nan(Nan::Hold), &mut output).unwrap();
    state.run_into(Input::features(&rows).last(), &mut output).unwrap();
    let mut other = state.fork().unwrap();
    let saved = other.save(Lane::All).unwrap();
    other.reset(Lane::All).unwrap();
    other.load(Lane::All, &saved).unwrap();
    assert_eq!(other.hash(Lane::All), state.hash(Lane::All));
    assert!(other.load(Lane::All, &saved[1..]).is_err());
    for part in model.parts() {
        let numbers = state.read_part(&part, 1).unwrap();
        other.write_part(&part, 0, &numbers).unwrap();
    }
    drop(model);
    let rest: Vec<_> = state.steps((0..3).map(|_| [0.25; 18])).collect();
    assert!(rest.iter().all(|row| row.as_ref().is_ok_and(|row| row.len() == 12)));
    // The handle of a model goes on another thread, behind its states.
    std::thread::spawn(move || drop::<(State, State)>((state, other))).join().unwrap();
}

#[test]
fn failures_of_every_kind() {
    assert!(Model::open("no such file.gguf").is_err());
    assert!(Model::options().open_memory(&[0; 100]).is_err());
    assert!(Model::options().max_bytes(100).open(MOTION).is_err());
    let cancelled = Model::options().progress(|_, _| false).open(MOTION).unwrap_err();
    assert_eq!(cancelled.status(), Status::Cancelled);
    let caught = std::panic::catch_unwind(|| {
        let _ = Model::options().progress(|_, _| panic!("planned")).open(MOTION);
    });
    assert!(caught.is_err());
    let model = tree().unwrap();
    let mut state = model.state().unwrap();
    assert!(state.step(&[0.0; 3], &mut []).is_err());
    assert!(state.run(Input::features(&[0.0; 4]).keep("nothing")).is_err());
    let output = state.run(Input::features(&[1.0; 4]).keep("inner")).unwrap();
    assert_eq!(output.kept[0].rows, [2.0; 6]);
}

#[test]
fn a_little_text() {
    let model = Model::open(NOVELS).unwrap();
    let mut state = model.state().unwrap();
    let mut sampler = Sampler::new(3).repetition(1.1);
    let mut pieces = state.generate("A", &mut sampler, 5).unwrap();
    assert!(pieces.next().is_some_and(|piece| piece.is_ok()));
    drop(pieces);
    let tokenizer = model.tokenizer().unwrap();
    drop((state, model));
    assert_eq!(tokenizer.decode(&tokenizer.encode("kept").unwrap()).unwrap(), b"kept");
}
