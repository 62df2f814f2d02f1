import assert from "node:assert/strict";

import { unknownValue } from "../../../../provider/pulumi/plainValue";
import type { PushedImage } from "../../../../provider/registry/push/pushResult";
import { compareRegistries, isReplaced, isUpToDate } from "../../../../provider/resources/pushSet/comparison";
import { registriesOf, registryAt, shownRegistries } from "../../../../provider/resources/pushSet/registries";
import { newRegistriesNote, orderNote, registryNotes } from "../../../../provider/resources/pushSet/registryNotes";
import type { PushSetInputs, PushSetOutputs, RegistryState } from "../../../../provider/resources/pushSet/state";

const [a, b, c] = ["10.0.0.5:5000/ns", "10.0.0.6:5000/ns", "10.0.0.7:5000/ns"].map((endpoint) => ({ endpoint })) as [
  { endpoint: string },
  { endpoint: string },
  { endpoint: string },
];
const images: PushedImage[] = [];
const probe = { repository: "registry-mirror-probe/probe", tag: "probe-1", digest: `sha256:${"1".repeat(64)}` };

const inputs = (registry: PushSetInputs["registry"], more: Partial<PushSetInputs> = {}): PushSetInputs => ({
  source: "p.tar",
  fingerprint: "f",
  probeRepository: probe.repository,
  registry,
  ...more,
});
/** As 0.1.0 has left it, too. */
const single: PushSetOutputs = { ...inputs(a), endpoint: a.endpoint, images, probe };
const state = ({ endpoint }: { endpoint: string }, more: Partial<RegistryState> = {}): RegistryState => ({
  endpoint,
  host: endpoint.slice(0, -3),
  images,
  probe,
  fingerprint: "f",
  ...more,
});
const several = (...states: RegistryState[]): PushSetOutputs => ({
  ...inputs(states.map(({ endpoint }) => ({ endpoint }))),
  endpoint: states[0]?.endpoint ?? "",
  images,
  probe,
  registries: states,
});
const settled = (olds: PushSetOutputs, news: PushSetInputs): boolean[] =>
  compareRegistries(olds, news).entries.map(({ isSettled }) => isSettled);

describe("S4: the registries of a push set", () => {
  it("S4: one that is no list stays as it was: its state is up to date, another place replaces", () => {
    assert.ok(isUpToDate(single, inputs({ ...a, username: "u" })));
    assert.ok(isUpToDate(single, inputs({ endpoint: "https://10.0.0.5:5000/v2/ns" })), "the same place");
    assert.ok(!isUpToDate({ ...single, fingerprint: "" }, inputs(a)));
    assert.ok(!isUpToDate({ ...single, drift: ["gone"] }, inputs(a)));
    assert.ok(!isUpToDate(single, inputs(a, { include: ["gcr.io/*"] })));
    assert.ok(isReplaced(a, b));
    assert.ok(!isReplaced(a, { endpoint: unknownValue }), "not before it is known");
    assert.deepEqual(registryNotes({ ...single, drift: ["gone"] }, inputs(a)), []);
  });

  it("S4: one becomes a list, and a list one, in place; only what is new is pushed to", () => {
    assert.ok(!isReplaced(a, [b]) && !isReplaced([a], b) && !isReplaced([a], [b]));
    assert.deepEqual(settled(single, inputs([b, a])), [false, true]);
    assert.ok(isUpToDate(single, inputs([a])));
    assert.ok(isUpToDate(several(state(a), state(b)), inputs([b, a])), "another order sends nothing");
    const { entries, dropped } = compareRegistries(several(state(a), state(b)), inputs(b));
    assert.deepEqual(
      [entries.map(({ isSettled }) => isSettled), dropped.map(({ before }) => before.endpoint)],
      [[true], [a.endpoint]],
    );
  });

  it("S4: one that failed, lost something, or has another probe is not settled; the others are", () => {
    const { fingerprint: _none, ...unfinished } = state(b, { failures: ["x"] });
    assert.deepEqual(settled(several(state(a), unfinished, state(c, { drift: ["gone"] })), inputs([a, b, c])), [
      true,
      false,
      false,
    ]);
    const other = { ...probe, tag: "probe-2" };
    assert.deepEqual(settled(several(state(a), state(b, { probe: other })), inputs([a, b])), [true, false]);
  });

  it("S4: one that was dropped and comes back is known again, and looked at anew", () => {
    const { fingerprint: _none, ...before } = state(b, { record: { token: "t", repository: "r" } });
    const olds = { ...several(state(a)), dropped: [{ connection: b, before }] };
    assert.deepEqual(compareRegistries(olds, inputs([a])).dropped, [{ connection: b, before }]);
    const { entries, dropped } = compareRegistries(olds, inputs([a, b]));
    assert.deepEqual([entries[1]?.before?.record?.token, entries[1]?.isSettled, dropped], ["t", false, []]);
  });

  it("S4: a preview names what is added, completed, dropped and kept", () => {
    const { fingerprint: _none, ...unfinished } = state(b, { failures: ["x"] });
    const olds = several(state(a), unfinished, state(c, { drift: ["one", "two"] }));
    const d = { endpoint: "d.example/ns" };
    assert.deepEqual(registryNotes(olds, inputs([b, c, d], { deleteImages: true })), [
      "registries: 1 added, 2 to be completed, 1 dropped",
      "  + d.example/ns (gets all images)",
      "  ~ 10.0.0.6:5000/ns (the last push to it is not complete)",
      "  ~ 10.0.0.7:5000/ns (it lost, or has otherwise, 2 of what was pushed)",
      "  - 10.0.0.5:5000/ns (its images are deleted, unless another push set has them)",
    ]);
    assert.deepEqual(registryNotes(several(state(a), state(b)), inputs([a])), [
      "registries: 1 dropped, 1 kept",
      "  - 10.0.0.6:5000/ns (its images stay)",
      "  = 10.0.0.5:5000/ns",
    ]);
    assert.deepEqual(registryNotes(single, inputs([a])), []);
  });

  it("S4: an endpoint that is not known yet is named so, not by Pulumi's own text for it", () => {
    const later = inputs([a, { endpoint: unknownValue }]);
    assert.deepEqual(newRegistriesNote(later), [
      "registries: 2, each gets all images: 10.0.0.5:5000/ns, one whose endpoint is not known yet",
    ]);
    assert.deepEqual(registryNotes(single, later), [
      "registries: 1 added, 1 kept",
      "  + one whose endpoint is not known yet (gets all images)",
      "  = 10.0.0.5:5000/ns",
    ]);
    assert.deepEqual(orderNote(several(state(a), state(b)), later), []);
  });

  it("S4: another order is said to be one: the outputs are another registry's, and nothing is sent", () => {
    const olds = several(state(a), state(b));
    assert.deepEqual(orderNote(olds, inputs([a, b])), []);
    assert.deepEqual(orderNote(olds, inputs([b, a])), [
      "registries: another order, nothing is sent; images, probe and endpoint are those of 10.0.0.6:5000/ns now",
    ]);
  });

  it("S4: outputs: each registry by itself, also where there is no list; at() finds one however it is written", () => {
    assert.deepEqual(shownRegistries(undefined, { endpoint: a.endpoint, images, probe, drift: undefined }), [
      { endpoint: a.endpoint, host: "10.0.0.5:5000", images, probe },
    ]);
    const former = [{ source: "gcr.io/a/b:0", digest: "sha256:0" as const, behind: 1 }];
    const past = { drift: ["x"], former };
    assert.deepEqual(shownRegistries(undefined, { endpoint: a.endpoint, images, ...past }), [
      { endpoint: a.endpoint, host: "10.0.0.5:5000", images, ...past },
    ]);
    const [, two] = shownRegistries([state(a), state(b, { damaged: ["x"], failures: ["y"] })], {
      endpoint: "",
      images: [],
    });
    assert.deepEqual(two, { endpoint: b.endpoint, host: "10.0.0.6:5000", images, probe, failures: ["y"] });
    assert.equal(registryAt([state(a), state(b)], "https://10.0.0.6:5000/v2/ns").endpoint, b.endpoint);
    assert.throws(() => registryAt([state(a)], b.endpoint), {
      code: "REGISTRY_NOT_LISTED",
      message: 'at("10.0.0.6:5000/ns"): this push set has no such registry; it has 10.0.0.5:5000/ns.',
    });
    assert.deepEqual(registriesOf(single), [state(a)]);
  });
});
