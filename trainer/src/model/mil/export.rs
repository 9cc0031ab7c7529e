//! MIL-Rank as an ONNX graph. It has no step graph: the firmware's step is DE-Net's.

use burn::backend::Flex;
use runtime::Result;

use super::{Mil, MilConfig};
use crate::dataset::Statistics;
use crate::export::Exporter;
use crate::export::head::{begin, classified, on_raw};
use crate::export::products::{Form, Products};

impl Exporter for Mil<Flex> {
    fn head(&self, config: &MilConfig, statistics: &Statistics, form: Form<'_>) -> Result<Vec<u8>> {
        let mut products = Products::new(form);
        let doc = "MIL-Rank: a window of raw segment features to one anomaly score per segment";
        let (mut g, x) = begin("mil", doc, config.segments, statistics);
        let (x, first) = on_raw(&mut g, &products, &x, &self.classifier.first, statistics);
        classified(g, &mut products, (&x, config.segments), &first, &self.classifier)
    }
}
