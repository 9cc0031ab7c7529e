//! Convolutions along time as products: rows and the neighbours that a kernel reaches beside each other, zeros beyond the
//! ends. `Conv1d` with kernel k is then a fully connected layer `[k D, O]`, the earliest neighbour first.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The neighbours of a kernel of 3 with this dilation, in time order.
pub fn three(dilation: isize) -> [isize; 3] {
    [-dilation, 0, dilation]
}

/// `[B, T, D]` to `[B, T, k D]`: row t is the rows `t + offset`, for each of k offsets.
pub fn around<B: Backend>(x: &Tensor<B, 3>, offsets: &[isize]) -> Tensor<B, 3> {
    Tensor::cat(offsets.iter().map(|&offset| shifted(x.clone(), offset)).collect(), 2)
}

/// Row t is row `t + offset`, or zeros where there is none.
fn shifted<B: Backend>(x: Tensor<B, 3>, offset: isize) -> Tensor<B, 3> {
    let [b, t, d] = x.dims();
    let by = offset.unsigned_abs().min(t);
    if by == 0 {
        return x;
    }
    let zeros = Tensor::zeros([b, by, d], &x.device());
    if by == t {
        zeros
    } else if offset > 0 {
        Tensor::cat(vec![x.narrow(1, by, t - by), zeros], 1)
    } else {
        Tensor::cat(vec![zeros, x.narrow(1, 0, t - by)], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{cube, values};

    #[test]
    fn neighbours_stand_beside_each_row_and_zeros_beyond_the_ends() {
        let x = cube(&[1., 10., 2., 20., 3., 30.], [1, 3, 2]);
        let y = around(&x, &three(1));
        assert_eq!(y.dims(), [1, 3, 6]);
        let expected = [0., 0., 1., 10., 2., 20., 1., 10., 2., 20., 3., 30., 2., 20., 3., 30., 0., 0.];
        assert_eq!(values(y), expected);
        assert_eq!(values(around(&x, &[-2])), [0., 0., 0., 0., 1., 10.]);
        assert_eq!(values(around(&x, &[4])), [0.; 6], "beyond the window there is nothing");
        assert_eq!(values(around(&x, &[-4])), [0.; 6]);
    }
}
