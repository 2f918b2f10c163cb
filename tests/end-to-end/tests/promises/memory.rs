//! Memory does not grow with the number of documents, nor with what is written and asked of an item.

use detoxlm_end_to_end::Setup;

use crate::child::Place;

/// Documents have a kilobyte each: kept in memory, 19,000 more would take 19 MiB.
const ALLOWANCE_KIB: u64 = 2 * 1024;

/// What may be kept of an item, in bytes: of each kind of evaluation the item's short text, and its
/// figures for every measurement. A prompt's 25 continuations with their scores have ten times as many.
const ALLOWANCE_OF_AN_ITEM: u64 = 2 * 1024;

/// The most memory that a run held, in KiB.
fn peak(setup: Setup) -> u64 {
    let place = Place::new(setup);
    let output = place.complete(&place.run("run"));
    let peak = output.lines().find_map(|line| line.strip_prefix("peak ")?.strip_suffix(" kB"));
    peak.expect("the process tells its peak").parse().unwrap()
}

#[test]
fn twenty_times_the_documents_take_no_more_memory() {
    let (few, many) =
        (peak(Setup::Flood { documents: 1_000 }), peak(Setup::Flood { documents: 20_000 }));
    println!("peak memory: {few} KiB at 1,000 documents, {many} KiB at 20,000");
    assert!(many < few + ALLOWANCE_KIB, "{few} KiB at 1,000 documents, {many} KiB at 20,000");
}

#[test]
fn ten_times_the_items_take_a_few_numbers_each() {
    let [few, many] = [150, 1_500].map(|items| (items, peak(Setup::Survey { items })));
    let of_an_item = many.1.saturating_sub(few.1) * 1024 / (many.0 - few.0) as u64;
    println!("peak memory: {few:?} and {many:?} items and KiB, {of_an_item} bytes an item");
    assert!(of_an_item < ALLOWANCE_OF_AN_ITEM, "{few:?}, {many:?}: {of_an_item} bytes an item");
}
