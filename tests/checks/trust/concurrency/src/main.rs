//! Runs the scenarios.
//!
//! ```text
//! concurrency RUNS [NAME]
//! ```
//!
//! `RUNS` is the number of orders to try for each scenario. Only scenarios whose names contain `NAME` run. A scenario
//! that fails ends the program with an error.

use concurrency::client::scenarios::{ALL, Scenario};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let runs = arguments.next().and_then(|runs| runs.parse().ok()).expect("the number of runs");
    let part = arguments.next().unwrap_or_default();
    let mut total = 0;
    for scenario @ (name, ..) in ALL.into_iter().filter(|(name, ..)| name.contains(&part)) {
        let orders = run(scenario, runs);
        total += orders;
        println!("{name}: {orders} orders");
    }
    assert!(total > 0, "no scenario has that name");
    println!("total {total}");
}

/// Tries half of the orders at random. The other half uses priorities that change at a few places; this finds faults
/// that need a rare switch. The seeds are fixed.
#[cfg(feature = "model")]
fn run((_, timeouts, scenario): Scenario, runs: usize) -> usize {
    use shuttle::{
        Config, Runner,
        scheduler::{PctScheduler, RandomScheduler},
    };

    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.silence_warnings = true;
    let half = runs.div_ceil(2);
    let run = move || {
        modelled_std::set_timeouts(timeouts);
        scenario();
    };
    Runner::new(RandomScheduler::new_from_seed(18, half), config.clone()).run(run)
        + Runner::new(PctScheduler::new_from_seed(18, 3, half), config).run(run)
}

/// Runs real threads, in the order that the system chooses.
#[cfg(not(feature = "model"))]
fn run((_, timeouts, scenario): Scenario, runs: usize) -> usize {
    modelled_std::set_timeouts(timeouts);
    (0..runs).for_each(|_| scenario());
    runs
}
