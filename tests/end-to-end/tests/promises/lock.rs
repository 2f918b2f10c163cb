//! Two processes on one run.

use detoxlm_end_to_end::Setup;

use crate::child::{Place, error_of};
use crate::tree::{assert_same, files};

#[test]
fn a_second_process_is_told_who_is_there_and_the_first_is_unharmed() {
    let place = Place::new(Setup::Bigram);
    let alone = place.run("alone");
    place.complete(&alone);

    let run = place.run("shared");
    let mut first = place.begin(&run);
    // Stands in the middle of the training, between two steps.
    while first.event().expect("the training has steps") != "step 7" {
        first.permit();
    }
    let before = files(&run);
    let second = place.command(&run).output().unwrap();
    assert!(!second.status.success());
    let message = error_of(&second);
    assert!(message.contains("another process works here"), "{message}");
    assert!(message.contains(&first.id().to_string()), "{message}");
    assert!(message.contains("shared"), "{message}");
    assert_same(&run, &before);
    first.permit();
    first.finish();
    assert_same(&run, &files(&alone));
}
