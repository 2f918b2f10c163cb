//! `kill -9` at any moment, and the same command again.

use std::thread;
use std::time::Duration;

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

/// Kills a run ten times, each time a drawn number of events after it went on and a drawn moment
/// later, and compares its end with that of a run that was left alone.
fn killed_ten_times(setup: Setup, seed: u64) {
    let place = Place::new(setup);
    let whole = place.run("whole");
    let events = place.begin(&whole).finish();
    let expected = files(&whole);

    let mut draws = Draws(seed);
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        runs += 1;
        let run = place.run(&format!("killed-{runs}"));
        let mut is_complete = false;
        while kills < KILLS && !is_complete {
            let mut sitting = place.begin(&run);
            let stop = 1 + draws.below(events / 3);
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
            let moment = Duration::from_micros(draws.below(3_000));
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
fn a_run_of_the_fakes_ends_in_the_same_bytes() {
    killed_ten_times(Setup::Bigram, 1);
}
