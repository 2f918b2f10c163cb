//! No room for a file. A limit on the size of files stands in for a full disk, which an ordinary
//! user cannot make: the write fails in the same places.

use std::path::Path;
use std::process::Command;

use detoxlm_end_to_end::Setup;

use crate::child::{Place, error_of};
use crate::tree::{assert_same, files};

/// The same command, unable to write a file beyond so many blocks of 512 bytes. The signal that
/// would end the process is ignored, so that the write fails as it does on a full disk.
fn limited(command: &Command, blocks: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[test]
fn a_write_that_fails_is_said_and_the_same_command_goes_on() {
    let place = Place::new(Setup::Bigram);
    let alone = place.run("alone");
    place.complete(&alone);
    let expected = files(&alone);

    let run = place.run("limited");
    let mut reached = Vec::new();
    // From nothing at all, over the documents, to the first checkpoint and the model.
    for blocks in [0, 2, 8, 64, 256] {
        let output = limited(&place.command(&run), blocks).output().unwrap();
        let message = error_of(&output);
        assert!(!output.status.success(), "{blocks} blocks were enough");
        assert!(message.contains("File too large"), "{message}");
        assert!(message.contains(run.to_str().unwrap()), "no file is named: {message}");
        // What is there under its name is whole, and what was there stays.
        let mut now = files(&run);
        now.retain(|name, _| !is_unfinished(name));
        for (name, digest) in &now {
            let is_work = name.starts_with("train");
            let is_final = expected.get(name) == Some(digest);
            assert!(is_work || is_final, "{} is half done", name.display());
        }
        assert!(reached.iter().all(|name| now.contains_key(name)), "something was lost");
        reached = now.into_keys().collect();
        println!("{blocks} blocks: {} files, then {}", reached.len(), message.trim_end());
    }
    assert!(reached.len() > 20, "{reached:?}");
    place.complete(&run);
    assert_same(&run, &expected);
}

/// A name that says so: what an interruption leaves and a later run replaces.
fn is_unfinished(name: &Path) -> bool {
    name.iter().any(|part| part.to_string_lossy().starts_with(".partial-"))
}
