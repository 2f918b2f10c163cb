/// Classifiers in the ensemble.
pub(crate) const FOLDS: usize = 5;

/// A support vector machine's scale, and how it becomes a probability.
#[derive(Debug)]
pub(crate) struct Scale {
    intercept: f64,
    platt_a: f64,
    platt_b: f64,
}

/// The published ones.
pub(crate) static SCALES: [Scale; FOLDS] = [
    Scale {
        intercept: -0.5148484933190518,
        platt_a: -2.139905779064187,
        platt_b: 1.0687819378462469,
    },
    Scale {
        intercept: -0.5180644401232078,
        platt_a: -1.864019103736363,
        platt_b: 1.1185319701850664,
    },
    Scale {
        intercept: -0.5252628491082553,
        platt_a: -2.087756041733666,
        platt_b: 1.135930893855306,
    },
    Scale {
        intercept: -0.5206312922558632,
        platt_a: -1.3145106493744125,
        platt_b: 1.1316085912099283,
    },
    Scale {
        intercept: -0.5207287644624182,
        platt_a: -1.1653834843152413,
        platt_b: 1.089614742062366,
    },
];

impl Scale {
    /// Platt scaling: 1 / (1 + exp(a f + b)), where f is the machine's value.
    pub(crate) fn probability(&self, millionths: i64) -> f64 {
        let value = millionths as f64 / 1e6 + self.intercept;
        1.0 / (1.0 + libm::exp(self.platt_a * value + self.platt_b))
    }
}
