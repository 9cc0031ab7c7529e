"""The peer of our training benchmark: DE-Net's step in PyTorch, on the CPU with as many threads as it likes, or on a GPU.

python peer_train.py DIR DEVICE CASE...: DEVICE is PyTorch's name, such as cpu or cuda:0. DIR/CASE.json says sizes, loss weights and the names of the weights, DIR/CASE.f32 holds those weights and a
batch (raw little-endian float32), as `tadpole-trainer bench --serve DIR` wrote them. The first line, as JSON: who this is, and for each case
the losses of the first steps without dropout, which must be ours. Then each line on standard input is the name of a case and is answered
with {"ms": MEDIAN} of one step with dropout, until the input ends.

The mathematics are those of trainer/src/model/denet, equation by equation, as one writes them in PyTorch. Of our shortcuts it has the second pass
over the changed pairs alone and the fusing layer before repetition; the classifier's gradient runs through all rows.
"""
import json
import os
import statistics
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

SPAN_S = 0.3
RUNS_MIN = 1
PARITY_STEPS = 3


class Encoder(nn.Module):
    """Eq. 2, post-norm."""

    def __init__(self, config, width, tokens):
        super().__init__()
        self.heads, self.dropout = config["heads"], config["encoder_dropout"]
        self.position = nn.Parameter(torch.empty(tokens, width))
        self.query, self.key, self.value, self.joined = (nn.Linear(width, width) for _ in range(4))
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.widen = nn.Linear(width, config["mlp_ratio"] * width)
        self.narrow = nn.Linear(config["mlp_ratio"] * width, width)

    def forward(self, x):
        b, n, d = x.shape
        x = x + self.position

        def split(y):
            return y.view(b, n, self.heads, d // self.heads).transpose(1, 2)

        heads = F.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(x)), split(self.value(x)), dropout_p=self.dropout
        )
        attended = self.joined(heads.transpose(1, 2).reshape(b, n, d))
        x = self.norm_attention(x + F.dropout(attended, self.dropout))
        hidden = F.dropout(F.gelu(self.widen(x), approximate="tanh"), self.dropout)
        return self.norm_mlp(x + F.dropout(self.narrow(hidden), self.dropout))


class Scale(nn.Module):
    """One temporal scale: a convolution whose kernel is its stride, the encoder, its share of the fusing layer."""

    def __init__(self, config, width, s):
        super().__init__()
        self.stride = 2**s
        self.conv = nn.Linear(width << s, width)
        self.encoder = Encoder(config, width, config["segments"] >> s)
        self.fuse = nn.Linear(width, width, bias=s == 0)

    def forward(self, x):
        b, t, d = x.shape
        tokens = self.encoder(self.conv(x.reshape(b, t // self.stride, self.stride * d)))
        return self.fuse(tokens).repeat_interleave(self.stride, dim=1)


class DeNet(nn.Module):
    """Eqs. 1-5."""

    def __init__(self, config, features):
        super().__init__()
        width = config["width"] or features
        self.dropout = config["classifier_dropout"]
        self.projection = nn.Linear(features, width) if width != features else None
        self.mstm = nn.Module()
        self.mstm.scales = nn.ModuleList(Scale(config, width, s) for s in range(config["scales"]))
        self.classifier = nn.Module()
        for name, inputs, outputs in (("first", width, 512), ("second", 512, 32), ("third", 32, 1)):
            setattr(self.classifier, name, nn.Linear(inputs, outputs))

    def forward(self, x):
        if self.projection is not None:
            x = self.projection(x)
        x = sum(scale(x) for scale in self.mstm.scales)
        f = self.classifier
        y = F.dropout(F.relu(f.first(x)), self.dropout)
        y = F.dropout(f.second(y), self.dropout)
        return x, torch.sigmoid(f.third(y)).squeeze(2)


def hinge(peaks):
    """max(0, 1 - a + n) of each pair."""
    abnormal, normal = peaks.chunk(2)
    return F.relu(1 - abnormal + normal)


def pair_losses(model, config, x):
    """Scores [2 P, T], and each pair's loss (Eqs. 11-15) with its abnormal window's regularisation."""
    features, scores = model(x)
    k = config["segments"] // 2
    variation = 1 - F.cosine_similarity(features[:, :-k], features[:, k:], dim=2, eps=1e-8)
    loss = config["alpha_score"] * hinge(scores.topk(config["top"], dim=1).values.mean(1))
    loss = loss + config["alpha_feature"] * hinge(variation.amax(1))
    abnormal = scores[: len(scores) // 2]
    if config["smoothness"] or config["sparsity"]:
        loss = loss + config["smoothness"] * (abnormal[:, 1:] - abnormal[:, :-1]).square().sum(1)
        loss = loss + config["sparsity"] * abnormal.sum(1)
    return scores.detach(), loss


def erased(config, x, scores):
    """Eqs. 6-10: the batch of the pairs of which something is erased, and which they are."""
    pairs = len(x) // 2
    rows = torch.arange(len(x), device=x.device)
    similarity = F.cosine_similarity(x[rows, scores.argmax(1)], x[rows, scores.argmin(1)], dim=1, eps=1e-8)
    incomplete = similarity[:pairs] - similarity[pairs:].mean() <= 0
    mask = (scores[:pairs] > config["erase_threshold"]) & incomplete[:, None]
    changed = mask.any(1).nonzero().squeeze(1)
    abnormal = x[:pairs].masked_fill(mask[:, :, None], 0.0)
    return torch.cat([abnormal[changed], x[pairs:][changed]]), changed


class Training:
    """A network with its optimiser and its batch."""

    def __init__(self, folder, device, case, dropout):
        with open(os.path.join(folder, case + ".json")) as file:
            told = json.load(file)
        self.config = told["config"]
        if not dropout:
            self.config.update(encoder_dropout=0.0, classifier_dropout=0.0)
        numbers = torch.from_numpy(numpy.fromfile(os.path.join(folder, case + ".f32"), dtype="<f4"))
        self.model = DeNet(self.config, told["features"])
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for parameter in told["parameters"]:
                count = int(numpy.prod(parameter["shape"]))
                values, numbers = numbers[:count].reshape(parameter["shape"]), numbers[count:]
                name = parameter["name"].replace(".gamma", ".weight").replace(".beta", ".bias")
                # A fully connected layer's weight is [inputs, outputs] with us.
                turned = values.t() if values.dim() == 2 and not name.endswith("position") else values
                parameters.pop(name).copy_(turned)
        self.model.to(device)
        if parameters:
            raise SystemExit(f"{case}.json has no {', '.join(parameters)}")
        self.batch = numbers.reshape(2 * told["pairs"], self.config["segments"], told["features"]).to(device, copy=True)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=told["learning_rate"], weight_decay=told["weight_decay"], fused=True
        )

    def step(self):
        """Loss, and the windows of which something was erased."""
        config, pairs = self.config, len(self.batch) // 2
        scores, loss = pair_losses(self.model, config, self.batch)
        batch, changed = erased(config, self.batch, scores)
        weights = torch.full((pairs,), config["lambda_unerased"] + config["lambda_erased"], device=loss.device)
        weights[changed] = config["lambda_unerased"]
        total = (loss * weights).sum()
        if len(changed):
            total = total + config["lambda_erased"] * pair_losses(self.model, config, batch)[1].sum()
        total = total / pairs
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        # Waits for a GPU: the loss' value alone would not wait for the optimiser.
        if self.batch.is_cuda:
            torch.cuda.synchronize(self.batch.device)
        return total.item(), len(changed)


def median_ms(training):
    times = []
    begun = time.perf_counter()
    while len(times) < RUNS_MIN or time.perf_counter() - begun < SPAN_S:
        start = time.perf_counter()
        training.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def name_of(device):
    """The GPU's name, or the CPU and how many threads."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{torch.get_num_threads()} threads"


def say(what):
    print(json.dumps(what), flush=True)


def main():
    folder, device, *names = sys.argv[1:]
    cases = {}
    for name in names:
        plain = Training(folder, device, name, dropout=False)
        steps = [plain.step() for _ in range(PARITY_STEPS)]
        cases[name] = {"losses": [loss for loss, _ in steps], "erased_windows": [count for _, count in steps]}
    say({"engine": "PyTorch", "version": torch.__version__, "device": name_of(device), "cases": cases})
    trainings = {name: Training(folder, device, name, dropout=True) for name in names}
    for line in sys.stdin:
        say({"ms": median_ms(trainings[line.strip()])})


main()
