//! Closures behind krait's callbacks.  A panic in one waits until krait has returned and then goes on.

use std::any::Any;
use std::ffi::{c_char, c_void, CStr};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use crate::sys;

/// Told how far long work is, in the units that the call names; false stops it.
pub(crate) type Progress<'a> = dyn FnMut(u64, u64) -> bool + 'a;
/// Given one line of text.
pub(crate) type Warn<'a> = dyn FnMut(&str) + 'a;

/// Lies on the stack of the call: krait calls back on the thread that called it, one callback at a time.
pub(crate) struct Hooks<'h, 'a> {
    progress: Option<&'h mut Progress<'a>>,
    warn: Option<&'h mut Warn<'a>>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'h, 'a> Hooks<'h, 'a> {
    pub(crate) fn new(
        progress: Option<&'h mut Progress<'a>>,
        warn: Option<&'h mut Warn<'a>>,
    ) -> Self {
        Hooks { progress, warn, panic: None }
    }

    pub(crate) fn progress(&self) -> sys::krait_progress_fn {
        self.progress.is_some().then_some(progress as _)
    }

    pub(crate) fn warn(&self) -> sys::krait_warn_fn {
        self.warn.is_some().then_some(warn as _)
    }

    pub(crate) fn user(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }

    pub(crate) fn finish(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}

unsafe extern "C" fn progress(user: *mut c_void, done: u64, total: u64) -> i32 {
    // SAFETY: `user` is Hooks::user() of hooks that outlive the call.
    let hooks = unsafe { &mut *user.cast::<Hooks<'_, '_>>() };
    let Some(function) = hooks.progress.as_mut().filter(|_| hooks.panic.is_none()) else {
        return 1;
    };
    match catch_unwind(AssertUnwindSafe(|| function(done, total))) {
        Ok(go_on) => i32::from(!go_on),
        Err(panic) => {
            hooks.panic = Some(panic);
            1
        }
    }
}

unsafe extern "C" fn warn(user: *mut c_void, text: *const c_char) {
    // SAFETY: as above; the text lives during the call.
    let hooks = unsafe { &mut *user.cast::<Hooks<'_, '_>>() };
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let Some(function) = hooks.warn.as_mut().filter(|_| hooks.panic.is_none()) else {
        return;
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| function(&text))) {
        hooks.panic = Some(panic);
    }
}
