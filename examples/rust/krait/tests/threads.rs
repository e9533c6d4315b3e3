//! One model on many threads, states that move, pools that are shared.

use std::sync::mpsc;
use std::thread;

use krait::{
    Decoder, Error, Input, Model, Parallel, Pool, Sampler, State, StateOptions, Tokenizer,
};

const NOVELS: &str = "../../models/mamba-novels.gguf";

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

#[test]
fn what_may_be_shared_and_what_may_move() {
    is_send::<Model>();
    is_sync::<Model>();
    is_send::<Tokenizer>();
    is_sync::<Tokenizer>();
    is_send::<Pool>();
    is_sync::<Pool>();
    is_send::<State>();
    is_send::<Decoder>();
    is_send::<Error>();
    is_sync::<Error>();
}

fn write(model: &Model, seed: u64) -> String {
    let mut state = model.state().unwrap();
    let mut sampler = Sampler::new(seed).temperature(0.7);
    state.generate("The ", &mut sampler, 60).unwrap().map(Result::unwrap).collect()
}

#[test]
fn threads_write_what_one_writes() {
    let model = Model::open(NOVELS).unwrap();
    let alone: Vec<String> = (0..8).map(|seed| write(&model, seed)).collect();
    let together: Vec<String> = thread::scope(|scope| {
        let model = &model;
        let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || write(model, seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn a_state_goes_on_elsewhere_and_outlives_its_model_handle() {
    let model = Model::open(NOVELS).unwrap();
    let tokens = model.encode("It was a dark and stormy night").unwrap();
    let wanted = model.state().unwrap().run(Input::tokens(&tokens).last()).unwrap().rows;
    let state = model.state().unwrap();
    drop(model);
    // From thread to thread, one token each.
    let made = tokens.iter().fold((state, vec![0.0; 256]), |(mut state, mut out), token| {
        let token = *token;
        thread::spawn(move || {
            state.step(&[token], &mut out).unwrap();
            (state, out)
        })
        .join()
        .unwrap()
    });
    assert_eq!(made.1, wanted);
}

#[test]
fn one_pool_serves_several_states() {
    let model = Model::open(NOVELS).unwrap();
    let tokens: Vec<i32> = (0..200).map(|i| 32 + i * 7 % 90).collect();
    let wanted = model.state().unwrap().run(Input::tokens(&tokens).last()).unwrap().rows;
    let pool = Pool::new(4);
    assert!((1..=4).contains(&pool.threads()));
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (send, model, pool, tokens) = (send.clone(), &model, &pool, &tokens);
            scope.spawn(move || {
                let options = StateOptions::default().chunk(64).tasks(4);
                let mut state = model.state_with(&options).unwrap();
                let input = Input::tokens(tokens).last().parallel(pool);
                send.send(state.run(input).unwrap().rows).unwrap();
            });
        }
    });
    drop(send);
    assert_eq!(receive.iter().filter(|rows| *rows == wanted).count(), 3);
}

#[test]
fn a_pool_runs_each_task_once() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let pool = Pool::new(3);
    for count in [0, 1, 2, 3, 50] {
        let ran: Vec<AtomicU32> = (0..count).map(|_| AtomicU32::new(0)).collect();
        pool.run(count, &|i| {
            ran[i].fetch_add(1, Ordering::Relaxed);
        });
        assert!(ran.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{count}");
    }
}

#[test]
fn a_task_that_panics_is_not_lost() {
    let pool = Pool::new(2);
    let run = || pool.run(4, &|i| assert_ne!(i, 2, "planned"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    assert!(caught.is_err());
    pool.run(4, &|_| {});
}
