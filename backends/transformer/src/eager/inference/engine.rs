//! A model ready to compute.

use detoxlm_core::{Precision, Result};

use crate::adapters::{Adaptation, AdaptationValues};
use crate::architecture::{Architecture, Parameter};
use crate::checkpoint::Checkpoint;
use crate::eager::attention::Sight;
use crate::eager::network::Network;
use crate::eager::place::Place;
use crate::eager::tensor::{Computed, Tensor};

/// A model's weights on the device, with what is added to them. Engines of one base share its weights.
#[derive(Debug)]
pub(in crate::eager) struct Engine<P: Place> {
    pub(super) network: Network<P>,
    /// The architecture's and then the adaptation's.
    pub(super) parameters: Vec<P::Tensor>,
}

impl<P: Place> Engine<P> {
    /// Reads the weights onto the device, in the numbers in which it computes.
    pub(in crate::eager) fn load(
        architecture: Architecture,
        checkpoint: &Checkpoint,
        place: P,
    ) -> Result<Self> {
        let parameters = parameters(&architecture, checkpoint, &place, |_| place.precision())?;
        let network = Network::new(architecture, Adaptation::default(), place)
            .map_err(P::failed("load the model"))?;
        Ok(Self { network, parameters })
    }

    /// The same base with these additions, in place of those of this engine.
    pub(in crate::eager) fn adapted(&self, added: &AdaptationValues) -> Result<Self> {
        let base = &self.parameters[..self.architecture().parameters.len()];
        let mut parameters = base.to_vec();
        let place = &self.network.place;
        for (index, spec) in added.adaptation.parameters.iter().enumerate() {
            let values = added.values(Parameter(base.len() + index));
            let tensor = place.numbers(values, &spec.shape, place.precision());
            parameters.push(tensor.map_err(P::failed("load the adapter"))?);
        }
        Ok(Self { network: self.network.adapted(added.adaptation.clone()), parameters })
    }

    pub(in crate::eager) const fn architecture(&self) -> &Architecture {
        &self.network.architecture
    }

    pub(in crate::eager) const fn place(&self) -> &P {
        &self.network.place
    }

    /// Tokens that a sequence may have.
    pub(in crate::eager) fn context_length(&self) -> usize {
        self.network.context_length()
    }

    /// Position of a sequence's first token.
    pub(super) fn first_position(&self) -> usize {
        self.network.adaptation.prefix_length()
    }

    /// The keys and values that every layer keeps of a text, as a prefix holds them: (tokens,
    /// layers * 2 * key width), a layer's keys and then its values.
    pub(in crate::eager) fn keys_and_values(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        let keep = || -> Computed<Vec<f32>, P> {
            let place = &self.network.place;
            let shape = [1, tokens.len()];
            let positions: Vec<u32> = (0..).take(tokens.len()).collect();
            let pass =
                self.network.pass(&self.parameters, &place.ids(&positions, &shape)?, None)?;
            let mut x = pass.embed(&place.ids(tokens, &shape)?)?;
            let scale = f64::from(self.architecture().attention_scale());
            let width = self.architecture().key_width();
            let mut kept = Vec::new();
            for index in 0..self.architecture().blocks.len() {
                x = pass.block(index, &x, &mut |heads| {
                    for part in [&heads.key, &heads.value] {
                        kept.push(part.transpose(1, 2)?.reshape(&[tokens.len(), width])?);
                    }
                    P::Tensor::attend(heads, &Sight::Causal, scale)
                })?;
            }
            P::Tensor::cat(&kept, 1)?.to(Precision::F32)?.values()
        };
        self.network.place.run(keep).map_err(P::failed("read keys and values"))
    }
}

/// The parameters of a checkpoint on the device, each in the kind of number that `precision_of` gives.
pub(in crate::eager) fn parameters<P: Place>(
    architecture: &Architecture,
    checkpoint: &Checkpoint,
    place: &P,
    precision_of: impl Fn(Parameter) -> Precision,
) -> Result<Vec<P::Tensor>> {
    let read = |index| {
        let parameter = Parameter(index);
        let values = checkpoint.read(architecture, parameter)?;
        let shape = &architecture.parameters[index].shape;
        place.numbers(&values, shape, precision_of(parameter)).map_err(P::failed("load the model"))
    };
    (0..architecture.parameters.len()).map(read).collect()
}
