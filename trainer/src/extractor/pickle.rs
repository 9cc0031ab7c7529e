//! Reads a PyTorch state dict in the form that `torch.save` wrote before release 1.6: four pickles (a magic number, a protocol
//! number, the machine's sizes, the state dict), a fifth with the names of the storages, then the storages' bytes.
//!
//! Flows in: the file's bytes. Flows out: named float32 tensors. Refused: anything but a plain dict of
//! tensors. Nothing is ever executed: the only "functions" known are the two that rebuild a tensor and an ordered dict.

use std::collections::{BTreeMap, HashMap};

/// A float32 tensor: row-major `data` of `shape`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f32>,
}

/// What is wrong with a file, for the caller to put the file's name to.
pub type Problem = String;

/// `torch.save`'s magic number, 0x1950a86a20f9469cfc6c, as its pickle begins.
const MAGIC: [u8; 14] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Reads all float tensors of a state dict; integer ones (batch counters) are passed over.
///
/// # Errors
/// With what is wrong, when the bytes are not such a file.
pub fn read_state_dict(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Problem> {
    if !bytes.starts_with(&MAGIC) {
        return Err("it does not begin as a PyTorch state dict of the form before release 1.6".into());
    }
    let mut machine = Machine::new(bytes);
    for _ in 0..3 {
        machine.pickle()?;
    }
    let Item::Dict(entries) = machine.pickle()? else {
        return Err("it does not hold a dict of tensors".into());
    };
    let Item::List(keys) = machine.pickle()? else {
        return Err("the list of its storages is missing".into());
    };
    let storages = storages(&mut machine, &entries, &keys)?;
    let mut tensors = BTreeMap::new();
    for (name, item) in entries {
        let (Item::Text(name), Item::Tensor(tensor)) = (name, item) else {
            return Err("an entry of its dict is not a named tensor".into());
        };
        if tensor.storage.kind == FLOATS {
            let bytes = storages.get(tensor.storage.key.as_str()).copied();
            let data = bytes
                .and_then(|b| tensor.elements(b))
                .ok_or_else(|| format!("tensor '{name}' does not lie within its storage"))?;
            tensors.insert(name, Tensor { shape: tensor.shape, data });
        }
    }
    Ok(tensors)
}

const FLOATS: &str = "torch.FloatStorage";

/// The bytes of each storage, by key: after the pickles they follow each other, each behind its number of elements.
fn storages<'a>(
    machine: &mut Machine<'a>,
    entries: &[(Item, Item)],
    keys: &[Item],
) -> Result<HashMap<String, &'a [u8]>, Problem> {
    let mut widths = HashMap::new();
    for (_, item) in entries {
        if let Item::Tensor(tensor) = item {
            let width = match tensor.storage.kind.as_str() {
                FLOATS => 4,
                "torch.LongStorage" => 8,
                other => return Err(format!("it holds a {other}; only 32-bit floats are read")),
            };
            widths.insert(tensor.storage.key.as_str(), width);
        }
    }
    let mut found = HashMap::new();
    for key in keys {
        let Item::Text(key) = key else {
            return Err("a storage has no name".into());
        };
        let elements = u64::from_le_bytes(machine.array()?) as usize;
        let width = widths.get(key.as_str()).ok_or("a storage belongs to no tensor")?;
        let length = elements.checked_mul(*width).ok_or("a storage is too long")?;
        found.insert(key.clone(), machine.take(length)?);
    }
    Ok(found)
}

#[derive(Clone, Debug)]
struct Storage {
    kind: String,
    key: String,
}

#[derive(Clone, Debug)]
struct TensorRef {
    storage: Storage,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl TensorRef {
    /// The elements in row-major order, whatever their order in the storage; `None` when one lies outside of it.
    fn elements(&self, storage: &[u8]) -> Option<Vec<f32>> {
        let floats = storage.as_chunks::<4>().0;
        let count = self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?;
        if count > floats.len() {
            return None;
        }
        let mut index = vec![0usize; self.shape.len()];
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            let mut steps = index.iter().zip(&self.strides);
            let at = steps.try_fold(self.offset, |at, (&i, &stride)| at.checked_add(i.checked_mul(stride)?))?;
            elements.push(f32::from_le_bytes(*floats.get(at)?));
            for (i, &length) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < length {
                    break;
                }
                *i = 0;
            }
        }
        Some(elements)
    }
}

/// A value on the pickle machine's stack.
#[derive(Clone, Debug)]
enum Item {
    Mark,
    /// None, booleans, and what was memoised but can never be asked for.
    Nothing,
    Int(i64),
    Text(String),
    Global(String),
    Tuple(Vec<Item>),
    List(Vec<Item>),
    Dict(Vec<(Item, Item)>),
    Storage(Storage),
    Tensor(TensorRef),
}

/// The pickle machine: the opcodes that a state dict needs.
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Item>,
    memo: HashMap<u32, Item>,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, stack: Vec::new(), memo: HashMap::new() }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or("it ends too early")?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or("it ends too early")?;
        self.rest = rest;
        Ok(*head)
    }

    fn line(&mut self) -> Result<String, Problem> {
        let end = self.rest.iter().position(|&b| b == b'\n').ok_or("it ends too early")?;
        let line = self.take(end)?;
        self.take(1)?;
        text(line)
    }

    fn pop(&mut self) -> Result<Item, Problem> {
        self.stack.pop().ok_or_else(|| "its pickle takes from an empty stack".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Item>, Problem> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark));
        let mark = mark.ok_or("its pickle has no mark")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    /// Reads one pickle to its end.
    fn pickle(&mut self) -> Result<Item, Problem> {
        self.stack.clear();
        self.memo.clear();
        loop {
            let [op] = self.array()?;
            let item = match op {
                b'.' => return self.pop(),
                0x80 => {
                    self.array::<1>()?;
                    continue;
                }
                b'(' => Item::Mark,
                b'N' | 0x88 | 0x89 => Item::Nothing,
                b')' => Item::Tuple(Vec::new()),
                b']' => Item::List(Vec::new()),
                b'}' => Item::Dict(Vec::new()),
                b'K' => Item::Int(i64::from(u8::from_le_bytes(self.array()?))),
                b'M' => Item::Int(i64::from(u16::from_le_bytes(self.array()?))),
                b'J' => Item::Int(i64::from(i32::from_le_bytes(self.array()?))),
                0x8a => {
                    let [length] = self.array()?;
                    let digits = self.take(usize::from(length))?;
                    digits.try_into().map_or(Item::Nothing, |d| Item::Int(i64::from_le_bytes(d)))
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.array()?);
                    Item::Text(text(self.take(length as usize)?)?)
                }
                b'c' => Item::Global(format!("{}.{}", self.line()?, self.line()?)),
                b't' => Item::Tuple(self.since_mark()?),
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(op - 0x84));
                    Item::Tuple(self.stack.split_off(from.ok_or("its pickle's stack is short")?))
                }
                b'q' => {
                    let [at] = self.array()?;
                    self.remember(u32::from(at));
                    continue;
                }
                b'r' => {
                    let at = u32::from_le_bytes(self.array()?);
                    self.remember(at);
                    continue;
                }
                b'h' => {
                    let [at] = self.array()?;
                    self.recall(u32::from(at))?
                }
                b'j' => {
                    let at = u32::from_le_bytes(self.array()?);
                    self.recall(at)?
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                    continue;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(items)?;
                    continue;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(vec![key, value])?;
                    continue;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(items)?;
                    continue;
                }
                b'b' => {
                    // The state of an ordered dict is PyTorch's record of module versions: not needed.
                    self.pop()?;
                    continue;
                }
                b'Q' => storage(self.pop()?)?,
                b'R' => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    call(&function, arguments)?
                }
                other => return Err(format!("its pickle has the unknown opcode {other:#04x}")),
            };
            self.stack.push(item);
        }
    }

    /// Only names and numbers are ever asked for again; keeping nothing else keeps memory bounded by the file.
    fn remember(&mut self, at: u32) {
        if let Some(item @ (Item::Text(_) | Item::Global(_) | Item::Int(_))) = self.stack.last() {
            self.memo.insert(at, item.clone());
        }
    }

    fn recall(&self, at: u32) -> Result<Item, Problem> {
        self.memo.get(&at).cloned().ok_or_else(|| "two of its entries share a value".into())
    }

    fn append(&mut self, items: Vec<Item>) -> Result<(), Problem> {
        let Some(Item::List(list)) = self.stack.last_mut() else {
            return Err("its pickle appends to no list".into());
        };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: Vec<Item>) -> Result<(), Problem> {
        let Some(Item::Dict(dict)) = self.stack.last_mut() else {
            return Err("its pickle sets entries of no dict".into());
        };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            dict.push((key, value));
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<String, Problem> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a name in it is not UTF-8".into())
}

/// `('storage', torch.FloatStorage, key, 'cpu', elements, view)`.
fn storage(identity: Item) -> Result<Item, Problem> {
    if let Item::Tuple(items) = identity
        && let [_, Item::Global(kind), Item::Text(key), _, _, Item::Nothing] = items.as_slice()
    {
        return Ok(Item::Storage(Storage { kind: kind.clone(), key: key.clone() }));
    }
    Err("it refers to a storage in an unknown way".into())
}

fn call(function: &Item, arguments: Item) -> Result<Item, Problem> {
    let (Item::Global(name), Item::Tuple(arguments)) = (function, arguments) else {
        return Err("its pickle calls what is no function".into());
    };
    match (name.as_str(), arguments.as_slice()) {
        ("collections.OrderedDict", []) => Ok(Item::Dict(Vec::new())),
        (
            "torch._utils._rebuild_tensor_v2",
            [Item::Storage(storage), Item::Int(offset), Item::Tuple(shape), Item::Tuple(strides), ..],
        ) => {
            let (shape, strides) = (numbers(shape)?, numbers(strides)?);
            if shape.len() != strides.len() {
                return Err("a tensor in it has more axes than strides, or fewer".into());
            }
            let offset = usize::try_from(*offset).map_err(|_| "an offset is negative")?;
            Ok(Item::Tensor(TensorRef { storage: storage.clone(), offset, shape, strides }))
        }
        _ => Err(format!("it calls {name}, which a plain state dict does not")),
    }
}

fn numbers(items: &[Item]) -> Result<Vec<usize>, Problem> {
    let number = |item: &Item| match item {
        Item::Int(n) => usize::try_from(*n).ok(),
        _ => None,
    };
    items.iter().map(number).collect::<Option<_>>().ok_or_else(|| "a shape is not made of numbers".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A state dict of one tensor `w` [2, 1] = [1, -2] and one counter, as `torch.save` wrote it.
    fn sample() -> Vec<u8> {
        let mut b = MAGIC.to_vec();
        b.push(b'.');
        b.extend(b"\x80\x02M\xe9\x03.");
        b.extend(b"\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s.");
        b.extend(b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(");
        b.extend(b"X\x01\x00\x00\x00wq\x02ctorch._utils\n_rebuild_tensor_v2\nq\x03(");
        b.extend(b"(X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x007q\x06");
        b.extend(b"X\x03\x00\x00\x00cpuq\x07K\x03NtQK\x01K\x02K\x01\x86K\x01K\x01\x86\x89h\x00)RtR");
        b.extend(b"X\x01\x00\x00\x00nh\x03((h\x04ctorch\nLongStorage\nX\x01\x00\x00\x008");
        b.extend(b"h\x07K\x01NtQK\x00))\x89h\x00)RtRu}b.");
        b.extend(b"\x80\x02](X\x01\x00\x00\x007X\x01\x00\x00\x008e.");
        b.extend(3u64.to_le_bytes());
        b.extend([9f32, 1.0, -2.0].iter().flat_map(|x| x.to_le_bytes()));
        b.extend(1u64.to_le_bytes());
        b.extend(5u64.to_le_bytes());
        b
    }

    #[test]
    fn reads_tensors_at_their_offset() {
        let tensors = read_state_dict(&sample()).unwrap();
        assert_eq!(tensors.len(), 1);
        assert_eq!(tensors["w"], Tensor { shape: vec![2, 1], data: vec![1.0, -2.0] });
    }

    #[test]
    fn refuses_every_truncation() {
        let whole = sample();
        for length in 0..whole.len() {
            assert!(read_state_dict(&whole[..length]).is_err(), "{length} bytes were read");
        }
    }

    #[test]
    fn refuses_foreign_calls() {
        let mut b = sample();
        let at = b.windows(18).position(|w| w == b"_rebuild_tensor_v2").unwrap();
        b[at..at + 18].copy_from_slice(b"_rebuild_tensor_v9");
        assert!(read_state_dict(&b).unwrap_err().contains("_rebuild_tensor_v9"));
    }

    #[test]
    fn transposed_tensors_come_out_row_major() {
        let storage: Vec<u8> = (0..7u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
        let named = Storage { kind: FLOATS.into(), key: "1".into() };
        let mut tensor = TensorRef { storage: named, offset: 1, shape: vec![2, 3], strides: vec![1, 2] };
        assert_eq!(tensor.elements(&storage).unwrap(), [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        tensor.offset = 2;
        assert_eq!(tensor.elements(&storage), None);
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..400, byte: u8) {
            let mut b = sample();
            let at = at % b.len();
            b[at] = byte;
            let _ = read_state_dict(&b);
        }
    }
}
