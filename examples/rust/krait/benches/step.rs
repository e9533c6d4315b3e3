//! step - nanoseconds of one step of a tiny model through this crate, and through the raw declarations.
//!
//!     cargo bench --bench step
//!
//! The model is an LRU of 4 inputs and 8 states, so that little else is timed than the way there.  Batches of the two
//! alternate and the fastest of each counts: other work on the machine only ever adds.  tests/rust/step.c times the
//! same from C, and tests/rust/overhead.sh one beside the other.

use std::time::Instant;

use krait::{sys, Model, Tensor};

const DESCRIPTION: &str = r#"{"model_type": "krait", "version": 1, "input": {"features": 4},
    "tree": {"lru": {"states": 8, "name": "lru"}}}"#;
const BATCHES: usize = 2000;
const STEPS: usize = 500;

fn tiny() -> krait::Result<Model> {
    let ramp = |from: f32, count: usize| -> Vec<f32> {
        (0..count).map(|i| from + 0.01 * i as f32).collect()
    };
    let (nu, theta, gamma) = (ramp(-2.0, 8), ramp(0.1, 8), ramp(-1.0, 8));
    let (inputs, outputs, d) = (ramp(0.1, 32), ramp(-0.2, 32), ramp(0.5, 4));
    Model::options().create(
        DESCRIPTION,
        &[
            Tensor::new("lru.nu_log", &[8], &nu),
            Tensor::new("lru.theta_log", &[8], &theta),
            Tensor::new("lru.gamma_log", &[8], &gamma),
            Tensor::new("lru.B_re", &[8, 4], &inputs),
            Tensor::new("lru.B_im", &[8, 4], &inputs),
            Tensor::new("lru.C_re", &[4, 8], &outputs),
            Tensor::new("lru.C_im", &[4, 8], &outputs),
            Tensor::new("lru.D", &[4], &d),
        ],
    )
}

/// Nanoseconds of one call, over a batch.
fn time(mut step: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..STEPS {
        step();
    }
    begun.elapsed().as_nanos() as f64 / STEPS as f64
}

fn main() -> krait::Result<()> {
    let model = tiny()?;
    let mut state = model.state()?;
    let (row, mut out) = ([0.5f32, -0.25, 0.125, 1.0], [0.0f32; 4]);
    let raw_model = model.as_ptr();
    let mut raw_state = std::ptr::null_mut();
    // SAFETY: the model is live, no options, no allocator.
    let made = unsafe {
        sys::krait_state_create(&mut raw_state, raw_model, std::ptr::null(), std::ptr::null())
    };
    assert_eq!(made, sys::KRAIT_OK);
    let (mut safe, mut raw) = (f64::MAX, f64::MAX);
    for _ in 0..BATCHES {
        safe = safe.min(time(|| state.step(&row, &mut out).unwrap()));
        raw = raw.min(time(|| {
            // SAFETY: one lane of 4 numbers in and out.
            let status =
                unsafe { sys::krait_step(raw_model, raw_state, row.as_ptr(), out.as_mut_ptr()) };
            assert_eq!(status, sys::KRAIT_OK);
        }));
    }
    // SAFETY: made above.
    unsafe { sys::krait_state_destroy(raw_state, std::ptr::null()) };
    println!("safe {safe:.1} ns, raw {raw:.1} ns a step");
    Ok(())
}
