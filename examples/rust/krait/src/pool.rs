//! Threads for [`Input::parallel`](crate::Input::parallel): krait starts none of its own.

use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::sys;

/// Something that can run tasks on several threads.
///
/// # Safety
///
/// `run` calls `task(i)` exactly once for each i below `count`, in any order, on any threads, and returns when all
/// have returned.  A task that ran twice at once, or still runs, would write to memory that others use.
pub unsafe trait Parallel: Sync {
    /// Run them all.
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync));
}

/// What krait hands over, behind a reference that threads may share.
struct Task {
    function: unsafe extern "C" fn(*mut c_void, usize),
    argument: *mut c_void,
}

// SAFETY: krait.h: tasks may run on any threads.
unsafe impl Sync for Task {}

impl Task {
    fn run(&self, index: usize) {
        // SAFETY: Parallel promises each index once, while krait waits.
        unsafe { (self.function)(self.argument, index) }
    }
}

/// krait's callback: `user` points to a `&dyn Parallel`.
pub(crate) unsafe extern "C" fn parallel(
    user: *mut c_void,
    task: sys::krait_task_fn,
    argument: *mut c_void,
    count: usize,
) {
    // SAFETY: State::run_into() put it there, and it lives during the call.
    let threads = unsafe { *user.cast_const().cast::<&dyn Parallel>() };
    if let Some(function) = task {
        let task = Task { function, argument };
        threads.run(count, &|index| task.run(index));
    }
}

/// Threads that wait for work; they end with the pool.
///
/// ```
/// use krait::{Input, Pool, StateOptions};
/// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
/// let tokens = vec![b' ' as i32; 256];
/// let options = StateOptions::default().chunk(64).tasks(3);
/// let pool = Pool::new(3);
/// let many = model.state_with(&options)?.run(Input::tokens(&tokens).last().parallel(&pool))?;
/// let one = model.state()?.run(Input::tokens(&tokens).last())?;
/// assert_eq!(many.rows, one.rows); // no bit depends on threads
/// # Ok::<(), krait::Error>(())
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Held by whoever runs tasks: one caller at a time.
    turn: Mutex<()>,
}

struct Shared {
    work: Mutex<Work>,
    begun: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct Work {
    job: Option<Job>,
    next: usize,
    count: usize,
    /// Tasks that have not returned.
    left: usize,
    panicked: bool,
    ending: bool,
}

#[derive(Clone, Copy)]
struct Job(*const (dyn Fn(usize) + Sync + 'static));

// SAFETY: it points to something Sync that lives until all tasks have returned.
unsafe impl Send for Job {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes tasks until none is left to be taken.
    fn work_off(&self) {
        loop {
            let (job, index) = {
                let mut work = self.lock();
                match work.job {
                    Some(job) if work.next < work.count => {
                        work.next += 1;
                        (job, work.next - 1)
                    }
                    _ => return,
                }
            };
            // SAFETY: run() waits until this task is counted as done.
            let result = catch_unwind(AssertUnwindSafe(|| unsafe { (*job.0)(index) }));
            let mut work = self.lock();
            work.panicked |= result.is_err();
            work.left -= 1;
            if work.left == 0 {
                self.done.notify_all();
            }
        }
    }

    fn serve(&self) {
        loop {
            let mut work = self.lock();
            while !work.ending && (work.job.is_none() || work.next >= work.count) {
                work = self.begun.wait(work).unwrap_or_else(|poison| poison.into_inner());
            }
            if work.ending {
                return;
            }
            drop(work);
            self.work_off();
        }
    }
}

impl Pool {
    /// So many threads, the one that calls being one of them.  Where no more can be started there are fewer.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared {
            work: Mutex::default(),
            begun: Condvar::new(),
            done: Condvar::new(),
        });
        let start = |_| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name("krait".into()).spawn(move || shared.serve()).ok()
        };
        let threads = (1..threads).map_while(start).collect();
        Pool { shared, threads, turn: Mutex::new(()) }
    }

    /// Threads, the one that calls being one of them.
    pub fn threads(&self) -> usize {
        self.threads.len() + 1
    }
}

// SAFETY: indices are handed out under a lock, each once, and run() waits for the last task.
unsafe impl Parallel for Pool {
    fn run(&self, count: usize, task: &(dyn Fn(usize) + Sync)) {
        let _turn = self.turn.lock().unwrap_or_else(|poison| poison.into_inner());
        // SAFETY: only the lifetime is another; the job is taken back below, before `task` can go.
        let job = Job(unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(
                task,
            )
        });
        {
            let mut work = self.shared.lock();
            (work.job, work.next, work.count, work.left) = (Some(job), 0, count, count);
            work.panicked = false;
        }
        self.shared.begun.notify_all();
        self.shared.work_off();
        let mut work = self.shared.lock();
        while work.left > 0 {
            work = self.shared.done.wait(work).unwrap_or_else(|poison| poison.into_inner());
        }
        work.job = None;
        let panicked = work.panicked;
        drop(work);
        assert!(!panicked, "a task panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.begun.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
