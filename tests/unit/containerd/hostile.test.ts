import assert from "node:assert/strict";

import { canNameImages } from "../../../provider/containerd/hostNames";
import { planContainerd } from "../../../provider/containerd/plan/planContainerd";
import { effectiveRegistry } from "../../../provider/containerd/read/effectiveRegistry";
import { parseContainerdVersion } from "../../../provider/containerd/version";
import { findingText } from "../../../provider/model/finding";
import { computing } from "../computing";
import { configPath, desired, node, sample } from "./nodes";
import { dir, host, mirror } from "./renderCases";

const gcr = host("gcr.io", [mirror("https://172.18.0.20:5000/v2/ns", { ca: true })]);
const pointing = `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${dir}"\n`;

describe("containerd: odd and hostile nodes", () => {
  it("a config.toml of 5,000 lines with legacy settings is planned within a second of computing", () => {
    let text = sample("legacy-full");
    for (let n = 0; text.split("\n").length < 5000; n += 50) {
      text += Array.from(
        { length: 50 },
        (_, i) => `[plugins."io.containerd.x.v1.${n + i}"]\n  # a comment\n  value = "${n + i}"\n`,
      ).join("");
    }
    let restart: boolean | undefined;
    const ms = computing(() => {
      ({ restart } = planContainerd(node("2.1.9", { [configPath]: text }), desired([gcr])));
    });
    assert.equal(restart, true);
    assert(ms < 1000, `${ms} ms`);
  });

  it("thousands of host directories, with names that no host has, cost no time and break no line of the notes", () => {
    const files: Record<string, string> = {
      [configPath]: sample("debian"),
      [`${dir}/evil\nname\u001b[31m/hosts.toml`]: "x",
      [`${dir}/__proto__/hosts.toml`]: "x",
    };
    for (let n = 0; n < 4000; n++) {
      files[`${dir}/host-${n}.example/hosts.toml`] = `[host."https://m"]\n`;
    }
    const observed = node("1.7.24", files);
    const ms = computing(() => void planContainerd(observed, desired([gcr])));
    assert(ms < 1000, `${ms} ms`);
    const plan = planContainerd(observed, desired([gcr]));
    for (const note of plan.notes) {
      const text = findingText(note);
      assert(/^[\x20-\x7e]+$/.test(text) && text.length < 4000, text);
    }
    assert(!plan.write.some((one) => one.path.includes("evil")));
  });

  it("what is no text in the hosts directory is neither read nor touched", () => {
    const observed = node("1.7.24", {
      [configPath]: pointing,
      [`${dir}/quay.io/hosts.toml`]: { mode: 0o644 },
      [`${dir}/gcr.io/client.key`]: { mode: 0o600 },
    });
    const plan = planContainerd(observed, desired([gcr]));
    assert(!JSON.stringify([plan.write, plan.remove, plan.owns]).includes("quay.io"));
    assert.match(
      effectiveRegistry(observed).findings.map(findingText).join("\n"),
      /quay\.io\/hosts\.toml: cannot be read as text/,
    );
  });

  it("a foreign directory that would make our file fail is told before anything is touched", () => {
    // The public host's certificate settings are kept, and what they name is gone: every pull of gcr.io would fail.
    const observed = node("1.7.24", {
      [configPath]: pointing,
      [`${dir}/gcr.io/hosts.toml`]: `server = "https://gcr.io"\nca = "gone.crt"\n`,
    });
    assert.throws(
      () => planContainerd(observed, desired([gcr])),
      /certificate .*gone\.crt is not there: the whole pull fails/,
    );
  });

  it("an IPv6 address can name an image from 1.7 on", () => {
    assert.deepEqual(
      ["1.6.20", "1.7.24", "2.1.9"].map((one) => canNameImages("[::1]:5000", parseContainerdVersion(one))),
      [false, true, true],
    );
    assert.equal(canNameImages("172.18.0.20:5000", parseContainerdVersion("1.6.20")), true);
  });
});
