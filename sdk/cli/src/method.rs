//! Arguments that say which parameters are trained.

use detoxlm::training::{
    Bottleneck, BottleneckActivation, BottleneckSize, Lora, Method, Placement, Prefix,
};
use detoxlm::{Error, ErrorKind, Result};

/// Which parameters are trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum MethodName {
    /// All of the model's own
    #[default]
    Full,
    /// Small networks between its layers
    Bottleneck,
    /// Low-rank updates of its matrices
    Lora,
    /// Keys and values in front of every text
    Prefix,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PlacementName {
    /// After attention and after the feed-forward network
    Houlsby,
    /// After the feed-forward network
    Pfeiffer,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ActivationName {
    Relu,
    Swish,
    Gelu,
    GeluNew,
}

/// The method and what differs from its defaults.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Method")]
pub(crate) struct MethodArguments {
    /// Which parameters are trained; all but `full` leave the model as it is and make an adapter
    #[arg(long, value_name = "NAME", default_value = "full")]
    method: MethodName,
    /// bottleneck: where in a layer [default: houlsby]
    #[arg(long, value_name = "NAME")]
    placement: Option<PlacementName>,
    /// bottleneck: inner width
    #[arg(long, value_name = "N", conflicts_with = "reduction_factor")]
    bottleneck_width: Option<usize>,
    /// bottleneck: the model's width divided by X is the inner width [default: 16]
    #[arg(long, value_name = "X")]
    reduction_factor: Option<f64>,
    /// bottleneck: the non-linearity [default: relu]
    #[arg(long, value_name = "NAME")]
    activation: Option<ActivationName>,
    /// bottleneck: spread of the up-projection's first values [default: 0]
    #[arg(long, value_name = "X")]
    up_spread: Option<f64>,
    /// lora: rank of the updates [default: 8]
    #[arg(long, value_name = "N")]
    rank: Option<usize>,
    /// lora: numerator of the updates' scale [default: 16]
    #[arg(long, value_name = "X")]
    alpha: Option<f64>,
    /// lora: divide by the rank's root instead of the rank
    #[arg(long)]
    rslora: bool,
    /// lora: ends of the names of adapted modules, such as c_attn or q_proj,v_proj
    /// [default: all linear modules]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    target_modules: Vec<String>,
    /// lora: share of the updates' inputs that is dropped [default: 0]
    #[arg(long, value_name = "SHARE")]
    lora_dropout: Option<f64>,
    /// prefix: virtual tokens [default: 16]
    #[arg(long, value_name = "N")]
    prefix_length: Option<usize>,
    /// prefix: train it through a network with so many hidden units
    #[arg(long, value_name = "N")]
    projection_width: Option<usize>,
}

impl MethodArguments {
    /// The method.
    ///
    /// # Errors
    /// When a value is impossible, or an option belongs to another method.
    pub(crate) fn method(&self) -> Result<Method> {
        self.check_options()?;
        let method = match self.method {
            MethodName::Full => Method::Full {},
            MethodName::Bottleneck => Method::Bottleneck(self.bottleneck()),
            MethodName::Lora => Method::Lora(self.lora()),
            MethodName::Prefix => Method::Prefix(Prefix {
                length: self.prefix_length.unwrap_or(Prefix::default().length),
                projection_width: self.projection_width,
            }),
        };
        method.validate()?;
        Ok(method)
    }

    fn bottleneck(&self) -> Bottleneck {
        let default = Bottleneck::default();
        Bottleneck {
            placement: self.placement.map_or(default.placement, |placement| match placement {
                PlacementName::Houlsby => Placement::Houlsby,
                PlacementName::Pfeiffer => Placement::Pfeiffer,
            }),
            size: match (self.bottleneck_width, self.reduction_factor) {
                (Some(width), _) => BottleneckSize::Width(width),
                (None, Some(factor)) => BottleneckSize::ReductionFactor(factor),
                (None, None) => default.size,
            },
            activation: self.activation.map_or(default.activation, |activation| match activation {
                ActivationName::Relu => BottleneckActivation::Relu,
                ActivationName::Swish => BottleneckActivation::Swish,
                ActivationName::Gelu => BottleneckActivation::Gelu,
                ActivationName::GeluNew => BottleneckActivation::GeluNew,
            }),
            up_spread: self.up_spread.unwrap_or(default.up_spread),
        }
    }

    fn lora(&self) -> Lora {
        let default = Lora::default();
        Lora {
            rank: self.rank.unwrap_or(default.rank),
            alpha: self.alpha.unwrap_or(default.alpha),
            rank_stabilized: self.rslora,
            target_modules: self.target_modules.clone(),
            dropout: self.lora_dropout.unwrap_or(default.dropout),
        }
    }

    /// Fails if an option of another method is given: it would silently do nothing.
    fn check_options(&self) -> Result<()> {
        use MethodName::{Bottleneck, Lora, Prefix};
        let options = [
            ("--placement", Bottleneck, self.placement.is_some()),
            ("--bottleneck-width", Bottleneck, self.bottleneck_width.is_some()),
            ("--reduction-factor", Bottleneck, self.reduction_factor.is_some()),
            ("--activation", Bottleneck, self.activation.is_some()),
            ("--up-spread", Bottleneck, self.up_spread.is_some()),
            ("--rank", Lora, self.rank.is_some()),
            ("--alpha", Lora, self.alpha.is_some()),
            ("--rslora", Lora, self.rslora),
            ("--target-modules", Lora, !self.target_modules.is_empty()),
            ("--lora-dropout", Lora, self.lora_dropout.is_some()),
            ("--prefix-length", Prefix, self.prefix_length.is_some()),
            ("--projection-width", Prefix, self.projection_width.is_some()),
        ];
        let foreign = options.into_iter().find(|(_, of, given)| *given && *of != self.method);
        let Some((option, of, _)) = foreign else { return Ok(()) };
        let of = format!("{of:?}").to_lowercase();
        Err(Error::new(
            ErrorKind::InvalidConfig,
            "cli",
            "set up the method",
            format!("it is an option of --method {of}"),
        )
        .with_key(option)
        .with_remedy(format!("leave it out, or add --method {of}")))
    }
}
