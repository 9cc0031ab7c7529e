//! Putting [`ChannelsLast`] operators into a graph, one for every run of convolutions.
//!
//! A run is a set of units of one *level*: the number of times that the way from the graph's inputs leaves the units
//! for an operator of tract's. So no path leaves a run and comes back, and the run can be one operator. A run without
//! a depthwise convolution stays with tract, which is good at the others and needs no transposition.

use super::depthwise::{Depthwise, Shape};
use super::op::ChannelsLast;
use super::program::{Layer, Pool, Port, Program, Slot, Step};
use super::unit::{self, Unit};
use super::window::Window;
use crate::engine::kernels::product::Weights;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::TractErrorContext;

/// Replace the runs of convolutions in a typed graph that has *not* been decluttered (declutter turns 1 x 1
/// convolutions into general products) and whose shapes are concrete; a graph without such runs comes back as it was.
pub fn accelerate(mut model: TypedModel) -> TractResult<TypedModel> {
    let mut packed = Packed::default();
    let pool = Arc::<Pool>::default();
    loop {
        let order = model.eval_order()?;
        let units = unit::find(&model, &order)?;
        let levels = levels(&model, &order, &units);
        let worthwhile = units.iter().zip(&levels).filter_map(|(unit, level)| unit.depthwise.then_some(*level));
        let Some(level) = worthwhile.min() else {
            return Ok(model);
        };
        let run: Vec<&Unit> =
            units.iter().zip(&levels).filter_map(|(unit, at)| (*at == level).then_some(unit)).collect();
        // A convolution that none of the others reads or feeds stays with tract, like a run without a depthwise one.
        let reads = |a: &Unit, b: &Unit| a.input == b.output || a.add == Some(b.output);
        let joined = |unit: &&Unit| unit.depthwise || run.iter().any(|other| reads(unit, other) || reads(other, unit));
        let run: Vec<&Unit> = run.iter().copied().filter(joined).collect();
        replace(&mut model, &depth_first(&run), &mut packed, &pool)?;
        model.compact()?;
    }
}

/// Layers with their weights packed: pictures that go through the same ones, each by nodes of its own, share them.
#[derive(Default)]
#[allow(clippy::type_complexity)] // One list, named by `Packed`.
struct Packed(Vec<(Arc<Tensor>, Vec<f32>, Shape, (f32, f32), Layer)>);

impl Packed {
    /// The unit's arithmetic.
    fn layer(&mut self, unit: &Unit) -> TractResult<Layer> {
        let known = self.0.iter().find(|(kernel, bias, shape, clamp, _)| {
            (bias, shape, clamp) == (&unit.bias, &unit.shape, &unit.clamp)
                && (Arc::ptr_eq(kernel, &unit.kernel) || *kernel == unit.kernel)
        });
        if let Some((.., layer)) = known {
            return Ok(layer.clone());
        }
        let layer = pack(unit)?;
        self.0.push((Arc::clone(&unit.kernel), unit.bias.clone(), unit.shape, unit.clamp, layer.clone()));
        Ok(layer)
    }
}

/// The level of each unit.
fn levels(model: &TypedModel, order: &[usize], units: &[Unit]) -> Vec<usize> {
    let ends: HashMap<usize, usize> = units.iter().enumerate().map(|(u, unit)| (unit.output.node, u)).collect();
    let mut of_node = vec![0; model.nodes().len()];
    let mut of_unit = vec![0; units.len()];
    for id in order {
        if let Some(u) = ends.get(id) {
            let inputs = std::iter::once(units[*u].input).chain(units[*u].add);
            of_unit[*u] = inputs.map(|input| of_node[input.node]).max().unwrap_or(0);
            of_node[*id] = of_unit[*u];
        } else {
            let after = |input: &OutletId| of_node[input.node] + usize::from(ends.contains_key(&input.node));
            of_node[*id] = model.node(*id).inputs.iter().map(after).max().unwrap_or(0);
        }
    }
    of_unit
}

/// The units in an order that follows each way to its end before the next begins: pictures that go through the same
/// layers, side by side, then need the buffers of one picture and not of all.
fn depth_first<'a>(run: &[&'a Unit]) -> Vec<&'a Unit> {
    let computed: HashMap<OutletId, usize> = run.iter().enumerate().map(|(u, unit)| (unit.output, u)).collect();
    let before = |u: usize| {
        let inputs = std::iter::once(run[u].input).chain(run[u].add);
        inputs.filter_map(|input| computed.get(&input).copied())
    };
    let read: HashSet<usize> = (0..run.len()).flat_map(before).collect();
    let mut wanted: Vec<usize> = (0..run.len()).rev().filter(|u| !read.contains(u)).collect();
    let mut done = vec![false; run.len()];
    let mut ordered = Vec::with_capacity(run.len());
    while let Some(&u) = wanted.last() {
        if let Some(first) = before(u).find(|u| !done[*u]) {
            wanted.push(first);
            continue;
        }
        wanted.pop();
        if !std::mem::replace(&mut done[u], true) {
            ordered.push(run[u]);
        }
    }
    ordered
}

/// Replace the units of one run.
fn replace(model: &mut TypedModel, run: &[&Unit], packed: &mut Packed, pool: &Arc<Pool>) -> TractResult<()> {
    let mut builder = Builder::default();
    let computed: HashMap<OutletId, usize> = run.iter().enumerate().map(|(u, unit)| (unit.output, u)).collect();
    let ours = |node: usize| run.iter().any(|unit| unit.nodes.contains(&node));
    let is_output = |unit: &Unit| {
        model.outputs.contains(&unit.output)
            || model.outlet_successors(unit.output).iter().any(|reader| !ours(reader.node))
    };

    // Where each tensor is read for the last time; an output of the run never is.
    let mut last_read: HashMap<OutletId, usize> = HashMap::new();
    let mut taps = vec![];
    for (at, unit) in run.iter().enumerate() {
        for outlet in std::iter::once(unit.input).chain(unit.add) {
            if !computed.contains_key(&outlet) && !taps.contains(&outlet) {
                taps.push(outlet);
            }
            last_read.insert(outlet, at);
        }
    }
    let outputs: Vec<OutletId> = run.iter().filter(|unit| is_output(unit)).map(|unit| unit.output).collect();
    for output in &outputs {
        last_read.insert(*output, usize::MAX);
    }

    for tap in &taps {
        let shape = shape(model, *tap)?;
        builder.hold(*tap, shape.iter().product());
    }
    let inputs = ports(model, &taps, &builder)?;
    let mut steps = vec![];
    for (at, unit) in run.iter().enumerate() {
        let len = shape(model, unit.output)?.iter().product();
        if outputs.contains(&unit.output) {
            // Kept to the end: in a buffer of its own, so that it takes no larger one out of use.
            builder.free.push(builder.slots.len());
            builder.slots.push(len);
        }
        let to = builder.hold(unit.output, len);
        let (from, add) = (builder.held[&unit.input], unit.add.map(|add| builder.held[&add]));
        steps.push(Step { layer: packed.layer(unit)?, from, add, to, len });
        for outlet in std::iter::once(unit.input).chain(unit.add).chain([unit.output]) {
            if last_read.get(&outlet).is_none_or(|last| *last <= at) {
                builder.release(outlet);
            }
        }
    }
    let out_ports = ports(model, &outputs, &builder)?;
    let op = ChannelsLast(Arc::new(Program::new(inputs, out_ports, steps, &builder.slots, Arc::clone(pool))));

    let mut patch = TypedModelPatch::new("channels last");
    let wires = patch.taps(model, &taps)?;
    let name = run.last().map_or("", |unit| &model.node(unit.output.node).name);
    let wires = patch.wire_node(format!("{name}.channels_last"), op, &wires)?;
    for (output, wire) in outputs.iter().zip(wires) {
        patch.shunt_outside(model, *output, wire)?;
    }
    patch.apply(model)
}

/// Which buffer holds which tensor.
#[derive(Default)]
struct Builder {
    slots: Vec<usize>,
    free: Vec<Slot>,
    held: HashMap<OutletId, Slot>,
}

impl Builder {
    /// A buffer for `len` floats: the smallest free one that is large enough, else the largest, made larger, else a new one.
    fn hold(&mut self, outlet: OutletId, len: usize) -> Slot {
        let misfit = |slot: &Slot| (self.slots[*slot] < len, self.slots[*slot].abs_diff(len));
        let slot = if let Some(best) = (0..self.free.len()).min_by_key(|at| misfit(&self.free[*at])) {
            self.free.swap_remove(best)
        } else {
            self.slots.push(0);
            self.slots.len() - 1
        };
        self.slots[slot] = self.slots[slot].max(len);
        self.held.insert(outlet, slot);
        slot
    }

    fn release(&mut self, outlet: OutletId) {
        self.free.extend(self.held.remove(&outlet));
    }
}

fn shape(model: &TypedModel, outlet: OutletId) -> TractResult<[usize; 4]> {
    let fact = model.outlet_fact(outlet)?;
    let shape = fact.shape.as_concrete().context("a shape that is not concrete")?;
    shape.try_into().with_context(|| format!("{shape:?} has not four axes"))
}

fn ports(model: &TypedModel, outlets: &[OutletId], builder: &Builder) -> TractResult<Vec<Port>> {
    outlets.iter().map(|at| Ok(Port { slot: builder.held[at], shape: shape(model, *at)? })).collect()
}

/// The unit's arithmetic, its weights packed.
fn pack(unit: &Unit) -> TractResult<Layer> {
    let kernel = unit.kernel.try_as_plain_ram()?.as_slice::<f32>()?;
    let taps = unit.shape.kernel[0] * unit.shape.kernel[1];
    if unit.depthwise {
        let at = |channel, tap| kernel[channel * taps + tap];
        return Ok(Layer::Depthwise(Arc::new(Depthwise::new(unit.shape, unit.clamp, &unit.bias, at))));
    }
    let channels = unit.shape.channels;
    let at = |row, out| kernel[(out * channels + row % channels) * taps + row / channels];
    let weights = Arc::new(Weights::pack(taps * channels, unit.channels_out, &unit.bias, at));
    let plain = taps == 1 && unit.shape.stride == [1, 1] && unit.shape.input == unit.shape.output;
    Ok(if plain {
        Layer::Pointwise(weights, unit.clamp)
    } else {
        Layer::Window(Window { shape: unit.shape, weights, clamp: unit.clamp })
    })
}
