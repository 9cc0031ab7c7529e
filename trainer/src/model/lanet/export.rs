//! LA-Net as an ONNX graph. The locality of the attention is a constant of the window; the scale of its logits is folded into
//! the queries.

use burn::backend::Flex;
use runtime::Result;

use super::{CAUSAL, LaNet, LaNetConfig};
use crate::dataset::Statistics;
use crate::export::Exporter;
use crate::export::head::{begin, finish, input, linear, norm, numbers, outputs};
use crate::export::products::{Form, Products};
use crate::export::quantise::Dense;

impl Exporter for LaNet<Flex> {
    fn head(&self, config: &LaNetConfig, statistics: &Statistics, form: Form<'_>) -> Result<Vec<u8>> {
        let mut products = Products::new(form);
        let segments = config.segments;
        let doc = "LA-Net: a window of raw segment features to one anomaly score per segment";
        let (mut g, x) = begin("lanet", doc, segments, statistics);
        let x = input(&mut g, &mut products, (&x, segments), self.projection.as_ref(), statistics)?;
        g.scope("attention");
        let scale = 1.0 / (config.attention as f32).sqrt();
        let query = Dense::of(&self.attention.query).times(scale);
        let query = products.run(&mut g, "query", (&x, segments), &query)?;
        let key = products.run(&mut g, "key", (&x, segments), &Dense::of(&self.attention.key))?;
        let value = products.run(&mut g, "value", (&x, segments), &Dense::of(&self.attention.value))?;
        let key = g.transpose(&key, &[0, 2, 1]);
        let logits = g.matmul(&query, &key);
        let locality = numbers(self.attention.locality(segments));
        let locality = g.f32s("locality", &[1, segments, segments], &locality);
        let logits = g.add(&logits, &locality);
        let weights = g.softmax(&logits, 2);
        let attended = g.matmul(&weights, &value);
        let attended = products.run(&mut g, "joined", (&attended, segments), &Dense::of(&self.attention.output))?;
        let sum = g.add(&x, &attended);
        let features = norm(&mut g, &sum, &self.attention.norm);
        g.scope("score");
        let wide = products.run(&mut g, "widen", (&features, segments), &Dense::of(&self.widen))?;
        let wide = g.gelu_tanh(&wide);
        let narrow = products.run(&mut g, "narrow", (&wide, segments), &Dense::of(&self.narrow))?;
        finish(g, &products, segments, |g| {
            let narrow = g.gelu_tanh(&narrow);
            let rows = g.around(&narrow, (segments, outputs(&self.narrow)), &CAUSAL);
            linear(g, &rows, &self.score)
        })
    }
}
