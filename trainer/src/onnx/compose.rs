//! What several operators make together, in the forms that every engine keeps exact and fast.

use super::builder::{GraphBuilder, Value};

impl GraphBuilder {
    /// A fully connected layer: `x [..., K]`, `w [K, N]` row-major (input first), `bias [N]` -> `[..., N]`.
    pub fn linear(&mut self, x: &Value, w: &Value, bias: Option<&Value>) -> Value {
        let product = self.matmul(x, w);
        match bias {
            Some(bias) => self.add(&product, bias),
            None => product,
        }
    }

    /// GELU in its tanh form, `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, from primitives: the operator itself came with
    /// opset 20, and exact GELU does not survive every export.
    pub fn gelu_tanh(&mut self, x: &Value) -> Value {
        let square = self.mul(x, x);
        let cube = self.mul(&square, x);
        let (small, root) = (self.scalar(0.044_715), self.scalar((2.0 / std::f32::consts::PI).sqrt()));
        let (one, half) = (self.scalar(1.0), self.scalar(0.5));
        let small_cube = self.mul(&cube, &small);
        let inner = self.add(x, &small_cube);
        let inner = self.mul(&inner, &root);
        let tanh = self.tanh(&inner);
        let gate = self.add(&tanh, &one);
        let halved = self.mul(x, &half);
        self.mul(&halved, &gate)
    }

    /// Each row `times` times in place: `x [B, T, D]` -> `[B, T * times, D]`, row `t` at `t * times ..`. Made of `Concat` and
    /// `Reshape`, because tract's declutter fails on `Expand` and `Tile` before a matrix product.
    pub fn repeat_rows(&mut self, x: &Value, (batch, rows, width): (usize, usize, usize), times: usize) -> Value {
        if times == 1 {
            return x.clone();
        }
        let beside = self.concat(&vec![x; times], 2);
        self.reshape(&beside, &[batch as i64, (rows * times) as i64, width as i64])
    }

    /// A convolution's input as rows: `x [1, T, D]` -> `[1, T, k D]`, row t being the rows `t + offset` for each of k offsets, zeros
    /// beyond the ends.
    pub fn around(&mut self, x: &Value, (rows, width): (usize, usize), offsets: &[isize]) -> Value {
        let shifted: Vec<Value> = offsets
            .iter()
            .map(|&offset| {
                let by = offset.unsigned_abs().min(rows);
                if by == 0 {
                    return x.clone();
                }
                let zeros = self.shared_f32s(&format!("zeros{by}x{width}"), &[1, by, width], &vec![0.0; by * width]);
                let (by, rows) = (by as i64, rows as i64);
                if by == rows {
                    zeros
                } else if offset > 0 {
                    let later = self.slice(x, 1, by, rows);
                    self.concat(&[&later, &zeros], 1)
                } else {
                    let earlier = self.slice(x, 1, 0, rows - by);
                    self.concat(&[&zeros, &earlier], 1)
                }
            })
            .collect();
        self.concat(&shifted.iter().collect::<Vec<_>>(), 2)
    }
}
