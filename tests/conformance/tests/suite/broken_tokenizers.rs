use detoxlm_conformance::tokenizer;
use detoxlm_core::Result;
use detoxlm_core::causal_lm::Tokenizer;
use detoxlm_core::testing::ByteTokenizer;

use crate::assert_breaks;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    AddsItsBeginning,
    ShowsSpecialTokens,
    IsSmallerThanItsIds,
    SwallowsWhatItDoesNotKnow,
    LosesSpaces,
    EndsNothing,
}

#[derive(Debug)]
struct Broken(Fault);

impl Tokenizer for Broken {
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = ByteTokenizer.encode(text)?;
        if self.0 == Fault::AddsItsBeginning {
            ids.insert(0, self.bos());
        }
        Ok(ids)
    }

    fn decode(&self, ids: &[u32]) -> Result<String> {
        if self.0 == Fault::SwallowsWhatItDoesNotKnow && ids.iter().any(|&id| id > self.bos()) {
            return Ok(String::new());
        }
        let text = ByteTokenizer.decode(ids)?;
        Ok(match self.0 {
            Fault::ShowsSpecialTokens if ids.contains(&self.bos()) => text + "</s>",
            Fault::LosesSpaces => text.replace(' ', ""),
            _ => text,
        })
    }

    fn size(&self) -> usize {
        if self.0 == Fault::IsSmallerThanItsIds { 256 } else { ByteTokenizer::SIZE }
    }

    fn bos(&self) -> u32 {
        ByteTokenizer::END
    }

    fn eos(&self) -> &[u32] {
        if self.0 == Fault::EndsNothing { &[] } else { &[ByteTokenizer::END] }
    }

    fn prepends_bos(&self) -> bool {
        true
    }
}

#[test]
fn every_fault_breaks_its_sentence() {
    for (fault, sentence) in [
        (Fault::AddsItsBeginning, "`encode` adds no special tokens"),
        (Fault::ShowsSpecialTokens, "`decode` leaves special tokens out"),
        (Fault::IsSmallerThanItsIds, "Ids lie below `size()`"),
        (Fault::SwallowsWhatItDoesNotKnow, "`decode` refuses an id that does not"),
        (Fault::LosesSpaces, "Text to token ids and back"),
        (Fault::EndsNothing, "The tokens that end a document"),
    ] {
        assert_breaks(tokenizer(&Broken(fault)), sentence);
    }
}
