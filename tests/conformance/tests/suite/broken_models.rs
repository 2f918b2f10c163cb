use detoxlm_conformance::causal_lm;

use crate::assert_breaks;
use crate::history_lm::{Fault, HistoryLm};

#[test]
fn every_fault_breaks_its_sentence() {
    use Fault::*;
    for (fault, sentence) in [
        (AdmitsStaleRows, "`admit` gives an empty row"),
        (AnswersInRowOrder, "of every entry in order"),
        (FewerLogitsThanTokens, "at least the tokenizer's size"),
        (ForkSharesItsRow, "a copy of a row that grows on its own"),
        (ForkStartsEmpty, "a copy of a row that grows on its own"),
        (FullRowPoisonsTheSession, "the other rows stay usable"),
        (GivesOutRowsForEver, "Both fail when no row is free."),
        (GreedyIsNever, "Whether no other token was more probable"),
        (KeepsOnlyTheLastTokenOfAPrompt, "`step` appends tokens to rows"),
        (LikelihoodOfTheFirstToken, "likelihoods of its tokens from number `from` on"),
        (LikelihoodsOfTheContext, "likelihoods of its tokens from number `from` on"),
        (LogitsDependOnTheBatch, "have the same bits"),
        (PanicsOnBadIds, "are an error, never a panic"),
        (ReadsBadIds, "are an error, never a panic"),
        (ReadsTheLastToken, "a sequence may be longer than the context by one"),
        (RowsWithoutLimit, "would outgrow the session's capacity"),
        (SessionLongerThanTheContext, "exceeds the context length"),
        (SharesWhatDiffers, "Neighbours that begin alike"),
        (StepsReleasedRows, "a row is not in use, named twice"),
        (TakesARowTwice, "a row is not in use, named twice"),
    ] {
        let result = causal_lm(&HistoryLm::new().with_fault(fault));
        println!("{fault:?}: {result:?}");
        assert_breaks(result, sentence);
    }
}

#[test]
fn a_last_bit_is_forgiven_where_it_is_not_promised() {
    let model = HistoryLm::new().with_fault(Fault::LogitsDependOnTheBatch);
    causal_lm(&model.with_batch_invariance(false)).unwrap();
}
