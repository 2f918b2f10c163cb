use super::Evidence;
use crate::plot::{Curve, Ground, Panel, reliability_panels};

impl Evidence {
    /// Reliability curves of every attribute before and after, as an SVG file, on texts that the maps
    /// were not fitted to.
    #[must_use]
    pub fn picture(&self, target: &str) -> String {
        let titles: Vec<(&str, _)> =
            self.fits.iter().map(|(attribute, fit)| (attribute.as_str(), fit)).collect();
        let panels: Vec<Panel<'_>> = titles
            .iter()
            .map(|(title, fit)| Panel {
                title,
                curves: vec![
                    Curve { name: "before", bins: &fit.before.reliability },
                    Curve { name: "after", bins: &fit.after.reliability },
                ],
            })
            .collect();
        let description = format!("Reliability before and after calibration to {target}");
        reliability_panels(&description, ("mean score", target), &panels, Ground::White)
    }
}
