//! Memory does not grow with the number of documents.

use detoxlm_end_to_end::Setup;

use crate::child::Place;

/// Documents have a kilobyte each: kept in memory, 19,000 more would take 19 MiB.
const ALLOWANCE_KIB: u64 = 2 * 1024;

/// The most memory that a run of so many documents held, in KiB.
fn peak(documents: u64) -> u64 {
    let place = Place::new(Setup::Flood { documents });
    let output = place.complete(&place.run("flood"));
    let peak = output.lines().find_map(|line| line.strip_prefix("peak ")?.strip_suffix(" kB"));
    peak.expect("the process tells its peak").parse().unwrap()
}

#[test]
fn twenty_times_the_documents_take_no_more_memory() {
    let (few, many) = (peak(1_000), peak(20_000));
    println!("peak memory: {few} KiB at 1,000 documents, {many} KiB at 20,000");
    assert!(many < few + ALLOWANCE_KIB, "{few} KiB at 1,000 documents, {many} KiB at 20,000");
}
