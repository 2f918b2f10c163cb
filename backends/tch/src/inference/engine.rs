//! A model ready to compute.

use detoxlm_core::Result;
use detoxlm_transformer::adapters::{Adaptation, AdaptationValues};
use detoxlm_transformer::architecture::{Architecture, Parameter};
use detoxlm_transformer::checkpoint::Checkpoint;
use tch::{Kind, Tensor, no_grad_guard};

use crate::attention::{Sight, attend};
use crate::error::{Computed, failed};
use crate::network::Network;
use crate::place::Place;
use crate::tensors::{download, share, size, upload, upload_ids};

/// A model's weights on the device, with what is added to them. Engines of one base share its weights.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) network: Network,
    /// The architecture's and then the adaptation's.
    pub(super) parameters: Vec<Tensor>,
}

// SAFETY: nothing writes to the tensors of an engine after it is made, and libtorch's operations may
// read one tensor on several threads. `Tensor` itself is not `Sync` because it can be changed in place.
unsafe impl Sync for Engine {}

impl Engine {
    /// Reads the weights onto the device, in the numbers in which it computes.
    pub(crate) fn load(
        architecture: Architecture,
        checkpoint: &Checkpoint,
        place: Place,
    ) -> Result<Self> {
        let parameters = parameters(&architecture, checkpoint, place, |_| place.kind)?;
        let network = Network::new(architecture, Adaptation::default(), place)
            .map_err(failed("load the model"))?;
        Ok(Self { network, parameters })
    }

    /// The same base with these additions, in place of those of this engine.
    pub(crate) fn adapted(&self, added: &AdaptationValues) -> Result<Self> {
        let base = &self.parameters[..self.architecture().parameters.len()];
        let mut parameters = share(base);
        for (index, spec) in added.adaptation.parameters.iter().enumerate() {
            let values = added.values(Parameter(base.len() + index));
            let (place, kind) = (self.network.place, self.network.place.kind);
            let tensor = upload(values, &spec.shape, place, kind);
            parameters.push(tensor.map_err(failed("load the adapter"))?);
        }
        Ok(Self { network: self.network.adapted(added.adaptation.clone()), parameters })
    }

    pub(crate) const fn architecture(&self) -> &Architecture {
        &self.network.architecture
    }

    pub(crate) const fn place(&self) -> Place {
        self.network.place
    }

    /// Tokens that a sequence may have.
    pub(crate) fn context_length(&self) -> usize {
        self.network.context_length()
    }

    /// Position of a sequence's first token.
    pub(super) fn first_position(&self) -> usize {
        self.network.adaptation.prefix_length()
    }

    /// The keys and values that every layer keeps of a text, as a prefix holds them: (tokens,
    /// layers * 2 * key width), a layer's keys and then its values.
    pub(crate) fn keys_and_values(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        let keep = || -> Computed<Vec<f32>> {
            let _guard = no_grad_guard();
            let place = self.network.place;
            let positions = Tensor::f_arange(size(tokens.len()), (Kind::Int64, place.device))?;
            let pass = self.network.pass(&self.parameters, &positions.f_unsqueeze(0)?, None)?;
            let mut x = pass.embed(&upload_ids(tokens, &[1, tokens.len()], place)?)?;
            let mut kept = Vec::new();
            for index in 0..self.architecture().blocks.len() {
                x = pass.block(index, &x, &mut |heads| {
                    for part in [&heads.key, &heads.value] {
                        kept.push(part.f_transpose(1, 2)?.f_flatten(2, 3)?.f_flatten(0, 1)?);
                    }
                    let (key, value) = (&heads.key, &heads.value);
                    attend(self.architecture(), &heads.query, key, value, &Sight::Causal)
                })?;
            }
            download(&Tensor::f_cat(&kept, 1)?)
        };
        keep().map_err(failed("read keys and values"))
    }
}

/// The parameters of a checkpoint on the device, each in the kind of number that `kind_of` gives.
pub(crate) fn parameters(
    architecture: &Architecture,
    checkpoint: &Checkpoint,
    place: Place,
    kind_of: impl Fn(Parameter) -> Kind,
) -> Result<Vec<Tensor>> {
    let read = |index| {
        let parameter = Parameter(index);
        let values = checkpoint.read(architecture, parameter)?;
        let shape = &architecture.parameters[index].shape;
        upload(&values, shape, place, kind_of(parameter)).map_err(failed("load the model"))
    };
    (0..architecture.parameters.len()).map(read).collect()
}
