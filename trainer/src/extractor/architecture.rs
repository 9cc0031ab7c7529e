//! EfficientNet-Lite0 as a list of convolutions: no squeeze-and-excitation, ReLU6 throughout, 3.35 M parameters.
//!
//! M. Tan, Q. Le: "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in the Lite variant that
//! fixes stem and head. Names are those of the published PyTorch state dict.

/// One convolution and the batch normalisation behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Name in the state dict, such as `_blocks.3._expand_conv`.
    pub name: String,
    /// Name of its batch normalisation, such as `_blocks.3._bn0`.
    pub norm: String,
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step, both ways.
    pub stride: usize,
    /// 1, or the number of channels (depthwise).
    pub groups: usize,
    /// ReLU6 follows; the linear projections have none.
    pub relu6: bool,
    /// The output of the convolution that ended the block before is added to this one's.
    pub residual: bool,
}

impl Layer {
    /// Weights that make one output value.
    pub fn fan_in(&self) -> usize {
        self.input / self.groups * self.kernel * self.kernel
    }

    /// Weights in all.
    pub fn weight_count(&self) -> usize {
        self.output * self.fan_in()
    }

    /// Zeros added at the top, left, bottom and right: TensorFlow's SAME. With a stride of 2 and even sides, as all sides that
    /// are multiples of 32 give, the odd one goes after.
    pub fn pads(&self) -> [usize; 4] {
        let total = self.kernel - self.stride;
        let (before, after) = (total / 2, total - total / 2);
        [before, before, after, after]
    }
}

/// Channels of the last map.
pub const CHANNELS: usize = 1280;

/// Pixels of the image per cell of the last map, both ways.
pub const REDUCTION: usize = 32;

/// Stages: expansion, kernel, stride of the first block, channels out, blocks.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// All convolutions from stem to head.
pub fn layers() -> Vec<Layer> {
    let dense = |name: String, norm: String, input, output, kernel, stride, relu6| Layer {
        name,
        norm,
        input,
        output,
        kernel,
        stride,
        groups: 1,
        relu6,
        residual: false,
    };
    let mut all = vec![dense("_conv_stem".into(), "_bn0".into(), 3, 32, 3, 2, true)];
    let (mut input, mut block) = (32, 0);
    for (expansion, kernel, first_stride, output, repeats) in STAGES {
        for repeat in 0..repeats {
            let at = format!("_blocks.{block}");
            let stride = if repeat == 0 { first_stride } else { 1 };
            let inner = input * expansion;
            if expansion > 1 {
                let (name, norm) = (format!("{at}._expand_conv"), format!("{at}._bn0"));
                all.push(dense(name, norm, input, inner, 1, 1, true));
            }
            all.push(Layer {
                groups: inner,
                ..dense(format!("{at}._depthwise_conv"), format!("{at}._bn1"), inner, inner, kernel, stride, true)
            });
            let (name, norm) = (format!("{at}._project_conv"), format!("{at}._bn2"));
            all.push(Layer {
                residual: stride == 1 && input == output,
                ..dense(name, norm, inner, output, 1, 1, false)
            });
            (input, block) = (output, block + 1);
        }
    }
    all.push(dense("_conv_head".into(), "_bn1".into(), input, CHANNELS, 1, 1, true));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_residuals_are_those_published() {
        let all = layers();
        let parameters: usize = all.iter().map(|l| l.weight_count() + l.output).sum();
        assert_eq!((all.len(), parameters), (49, 3_350_000));
        assert_eq!(all.iter().filter(|l| l.residual).count(), 9);
    }

    #[test]
    fn paddings_are_same() {
        let pads = |kernel, stride| Layer { kernel, stride, ..layers()[0].clone() }.pads();
        assert_eq!(pads(3, 1), [1, 1, 1, 1]);
        assert_eq!(pads(3, 2), [0, 0, 1, 1]);
        assert_eq!(pads(5, 1), [2, 2, 2, 2]);
        assert_eq!(pads(5, 2), [1, 1, 2, 2]);
        assert_eq!(pads(1, 1), [0, 0, 0, 0]);
    }
}
