//! Two threads write to one word without a lock: the data race that ThreadSanitizer must report.

use std::thread;

static mut COUNT: u64 = 0;

fn main() {
    // SAFETY: none. This is the planted fault.
    let count = || (0..1000).for_each(|_| unsafe { COUNT += 1 });
    thread::scope(|scope| [scope.spawn(count), scope.spawn(count)].map(|thread| thread.join().unwrap()));
    // SAFETY: both threads have ended.
    println!("{}", unsafe { COUNT });
}
