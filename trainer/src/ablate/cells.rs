//! What is taken away from DE-Net, and what is varied: the full model's settings in, a cell of the study for each variant out.
//!
//! [`Study::Components`] is the paper's Tab. 4, [`Study::Scales`] and [`Study::Threshold`] its Fig. 3. Rows that are ours are
//! said to be. The full model is a row of each, and is trained once.

use clap::ValueEnum;
use runtime::{Error, Result};

use crate::model::ModelConfig;
use crate::model::denet::{DeNetConfig, Erasing};
use crate::train::Settings;

/// The full model's name.
pub const FULL: &str = "full";

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Study {
    /// Parts on and off (Tab. 4).
    Components,
    /// The number of temporal scales S (Fig. 3a).
    Scales,
    /// The erasing threshold delta (Fig. 3b).
    Threshold,
}

impl Study {
    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Components => "Components (Tab. 4)",
            Self::Scales => "Temporal scales S (Fig. 3a)",
            Self::Threshold => "Erasing threshold delta (Fig. 3b)",
        }
    }

    /// What its rows differ in.
    pub fn column(self) -> &'static str {
        match self {
            Self::Components => "model",
            Self::Scales => "scales",
            Self::Threshold => "threshold",
        }
    }
}

/// One variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its folder's name.
    pub name: String,
    /// Its row's.
    pub title: String,
    /// How it is trained.
    pub settings: Settings,
}

/// The cells of a study of `full`, the full model first. Those that its sizes do not allow are left out.
pub fn cells(full: &Settings, study: Study) -> Result<Vec<Cell>> {
    let ModelConfig::DeNet(config) = &full.model else {
        let problem = format!("{} has no such parts", full.model.name());
        return Err(Error::invalid("ablate", problem, "its studies are DE-Net's"));
    };
    full.check()?;
    let cell = |name: &str, title: String, config: DeNetConfig| Cell {
        name: name.into(),
        title,
        settings: Settings { model: ModelConfig::DeNet(config), ..full.clone() },
    };
    let of = || config.clone();
    let mut cells = match study {
        Study::Components => {
            let off = Erasing::Off;
            let mut cells = vec![
                cell(FULL, "4: MSTM, assessment and erasing (full)".into(), of()),
                cell("baseline", "1: baseline".into(), DeNetConfig { scales: 0, erasing: off, ..of() }),
                cell("mstm", "2: MSTM".into(), DeNetConfig { erasing: off, ..of() }),
                cell(
                    "always",
                    "3: MSTM and erasing, no assessment".into(),
                    DeNetConfig { erasing: Erasing::Always, ..of() },
                ),
            ];
            if config.alpha_feature > 0.0 {
                let without = DeNetConfig { alpha_feature: 0.0, ..of() };
                cells.push(cell("no-feature-ranking", "full without L_fea (ours)".into(), without));
            }
            if config.regularised() {
                let without = DeNetConfig { smoothness: 0.0, sparsity: 0.0, ..of() };
                cells.push(cell("no-regularisation", "full without smoothness and sparsity (ours)".into(), without));
            }
            cells
        }
        Study::Scales => {
            let varied = |scales: usize| {
                cell(&format!("scales-{scales}"), format!("S = {scales}"), DeNetConfig { scales, ..of() })
            };
            let others = (1..=4).filter(|&scales| scales != config.scales).map(varied);
            std::iter::once(cell(FULL, format!("S = {} (full)", config.scales), of())).chain(others).collect()
        }
        Study::Threshold => {
            let varied = |tenths: u8| {
                let erase_threshold = f32::from(tenths) / 10.0;
                let title = format!("delta = {erase_threshold}");
                cell(&format!("delta-{erase_threshold}"), title, DeNetConfig { erase_threshold, ..of() })
            };
            let same = |tenths: &u8| (f32::from(*tenths) / 10.0 - config.erase_threshold).abs() < 1e-6;
            let others = (5..=9).filter(|tenths| !same(tenths)).map(varied);
            std::iter::once(cell(FULL, format!("delta = {} (full)", config.erase_threshold), of()))
                .chain(others)
                .collect()
        }
    };
    cells.retain(|cell| cell.settings.check().is_ok());
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::train::Preset;

    fn names(settings: &Settings, study: Study) -> Vec<String> {
        cells(settings, study).unwrap().into_iter().map(|cell| cell.name).collect()
    }

    #[test]
    fn the_full_model_comes_first_and_once() {
        let edge = Preset::Edge.settings(Model::DeNet.config());
        let components = ["full", "baseline", "mstm", "always", "no-feature-ranking", "no-regularisation"];
        assert_eq!(names(&edge, Study::Components), components);
        assert_eq!(names(&edge, Study::Scales), ["full", "scales-1", "scales-2", "scales-4"]);
        assert_eq!(names(&edge, Study::Threshold), ["full", "delta-0.5", "delta-0.6", "delta-0.7", "delta-0.9"]);
        let paper = Preset::Paper.settings(Model::DeNet.config());
        assert_eq!(names(&paper, Study::Components), components[..5], "the paper has no regularisation");
        assert!(cells(&edge, Study::Scales).unwrap().iter().all(|cell| cell.settings.check().is_ok()));
        assert_eq!(cells(&edge, Study::Components).unwrap()[0].settings, edge);
    }

    #[test]
    fn what_cannot_be_built_is_left_out_and_other_models_are_refused() {
        let mut edge = Preset::Edge.settings(Model::DeNet.config());
        let ModelConfig::DeNet(config) = &mut edge.model else { unreachable!() };
        config.segments = 20;
        assert_eq!(names(&edge, Study::Scales), ["full", "scales-1", "scales-2"], "20 cannot be halved three times");
        let error = cells(&Preset::Edge.settings(Model::Mil.config()), Study::Scales).unwrap_err();
        assert!(error.to_string().contains("mil has no such parts"), "{error}");
    }
}
