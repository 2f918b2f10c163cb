//! `kill -9` at any moment, and the same command again.

use std::thread;
use std::time::Instant;

use detoxlm_end_to_end::Setup;

use crate::child::Place;
use crate::tree::{assert_same, files};

const KILLS: u64 = 10;

/// The same draws on every run of the tests (splitmix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}

// Which moments they were is for whoever asks with `--nocapture`.
#[allow(clippy::print_stdout, reason = "a helper of tests")]
/// Kills a run ten times, each time a drawn number of events after it went on and a drawn moment
/// later, and compares its end with that of a run that was left alone.
fn killed_ten_times(setup: Setup, seed: u64) {
    let place = Place::new(setup);
    let whole = place.run("whole");
    let begun = Instant::now();
    let events = place.begin(&whole).finish().len() as u64;
    let pace = begun.elapsed() / events as u32;
    let expected = files(&whole);

    let mut draws = Draws(seed);
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        runs += 1;
        let run = place.run(&format!("killed-{runs}"));
        let mut is_complete = false;
        while kills < KILLS && !is_complete {
            let mut sitting = place.begin(&run);
            let stop = 1 + draws.below(events / 2);
            let mut last = String::new();
            for _ in 0..stop {
                let Some(event) = sitting.event() else {
                    is_complete = true;
                    break;
                };
                last = event;
                sitting.permit();
            }
            if is_complete {
                sitting.finish();
                break;
            }
            // Anywhere between this event and the next but one.
            let moment = pace * draws.below(2_000) as u32 / 1_000;
            thread::sleep(moment);
            sitting.kill();
            kills += 1;
            println!("killed {moment:?} after `{last}`");
        }
        place.begin(&run).finish();
        assert_same(&run, &expected);
    }
    println!("{events} events, {kills} kills in {runs} runs");
}

#[test]
fn what_is_complete_is_not_done_again() {
    let place = Place::new(Setup::Bigram);
    let run = place.run("run");
    let first = place.begin(&run).finish();
    let before = files(&run);
    let again = place.begin(&run).finish();
    for work in ["prompts advanced", "generate advanced", "score advanced", "step", "evaluate"] {
        let is_work = |event: &&String| event.starts_with(work);
        assert!(first.iter().any(|event| is_work(&event)), "{work} is missing in {first:?}");
        assert_eq!(again.iter().find(is_work), None, "done again");
    }
    assert_same(&run, &before);
}

#[test]
fn a_run_of_the_fakes_ends_in_the_same_bytes() {
    killed_ten_times(Setup::Bigram, 1);
}

#[test]
fn a_run_of_the_backends_ends_in_the_same_bytes() {
    killed_ten_times(Setup::Stories, 2);
}
