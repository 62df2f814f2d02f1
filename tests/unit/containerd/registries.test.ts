import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { ContainerdError } from "../../../provider/containerd/containerdError";
import { editRegistries, type RegistriesChange } from "../../../provider/containerd/registries/editRegistries";
import { generateHosts } from "../../../provider/containerd/registries/generateHosts";
import { readRegistries } from "../../../provider/containerd/registries/registriesYaml";

/** A registries.yaml, and the files that k3s's own template made of it, each way, by the name of its folder. */
interface Sample {
  title: string;
  registries: string;
  made: Record<string, Record<string, string>>;
}

const forms = [
  { name: "spaced", spaced: true, withoutDefault: false },
  { name: "trimmed", spaced: false, withoutDefault: false },
  { name: "spaced, no default", spaced: true, withoutDefault: true },
  { name: "trimmed, no default", spaced: false, withoutDefault: true },
];

/** Blocks below lines of `##### TITLE`, and `##### FORM: FOLDER` for what is made of it. */
function samples(): Sample[] {
  const found: Sample[] = [];
  const text = readFileSync(join(__dirname, "registries", "samples.txt"), "utf8");
  for (const block of text.split(/^##### /m).slice(1)) {
    const [head = "", ...lines] = block.split("\n");
    const form = forms.findLast(({ name }) => head.startsWith(`${name}: `));
    const last = found.at(-1);
    if (form === undefined || last === undefined) {
      found.push({ title: head, registries: lines.join("\n"), made: {} });
    } else {
      (last.made[form.name] ??= {})[head.slice(form.name.length + 2)] = lines.join("\n");
    }
  }
  return found;
}

describe("registries.yaml of k3s and RKE2", () => {
  // Made by k3s's template and functions (pkg/agent/containerd/config.go, pkg/agent/templates) with its reader of
  // registries.yaml (rancher/wharfie 0.7.1), run by hand.
  for (const { title, registries, made } of samples()) {
    it(`N1: the hosts.toml files made of it, byte for byte: ${title}`, () => {
      for (const { name, ...how } of forms) {
        const files = generateHosts(readRegistries(registries, "x"), { program: "k3s", ...how });
        assert.deepEqual(Object.fromEntries(files), made[name] ?? {}, name);
      }
    });
  }

  it("N1: there are ten samples, and more", () => assert.ok(samples().length >= 10));

  const change: RegistriesChange = {
    mirrors: { "docker.io": ["https://m.example:5000"], "gone.example": [] },
    tls: { "m.example:5000": { caFile: "/etc/ca.crt" } },
    // As a state has them: by the alphabet.
    auth: { "m.example:5000": { password: '12" 3', username: "puller" } },
  };

  it("N1: an edit keeps comments, order and all that is not meant, and is none the second time", () => {
    const text = `# by the platform team
mirrors:
  # the hub
  docker.io: # in this order
    endpoint:
      - "https://old.example" # gives way
    rewrite:
      "^a": "b"
  gone.example:
    endpoint: [https://other.example]

  'quay.io':
    endpoint: [https://q.example, "https://r.example"]
configs:
  old.example: # still there
    auth:
      username: u
      password: secret # of theirs
  m.example:5000:
    tls:
      cert_file: /client.crt
      insecure_skip_verify: true
`;
    const edited = editRegistries(text, change, "r");
    assert.equal(
      edited,
      `# by the platform team
mirrors:
  # the hub
  docker.io: # in this order
    endpoint:
      - https://m.example:5000

  'quay.io':
    endpoint: [https://q.example, "https://r.example"]
configs:
  old.example: # still there
    auth:
      username: u
      password: secret # of theirs
  m.example:5000:
    tls:
      cert_file: /client.crt
      ca_file: /etc/ca.crt
    auth:
      username: "puller"
      password: "12\\" 3"
`,
    );
    assert.equal(editRegistries(edited, change, "r"), edited);
    assert.equal(editRegistries(text, { mirrors: {}, tls: {}, auth: {} }, "r"), text);
  });

  it("N1: of an entry that is replaced all comments stay, but for those of what goes; and what is not edited, to the byte", () => {
    const text = `mirrors:
  gcr.io:   # asked first
    # why there is a mirror
    endpoint: # in this order
      # the list's
      - "https://old.example" # goes
      - https://keep.example   # stays
      # of the list too
    rewrite: # goes
      "^a": b
    # of the entry
  quay.io:  {endpoint: ["https://q.example"]}   # by hand
  a.example: # nothing yet
  b.example:  # of another
    endpoint: ["https://b.example"]
configs:
  m.example:   # the mirror
    auth: # of the robot
      # its name
      username: a # short
      password: b # rotated
`;
    const edited = editRegistries(
      text,
      {
        mirrors: {
          "gcr.io": ["https://new.example", "https://keep.example"],
          "quay.io": ["https://new.example"],
          "a.example": ["https://new.example"],
        },
        tls: { "m.example": { caFile: "/ca.crt" } },
        auth: { "m.example": { username: "puller", password: "p" } },
      },
      "r",
    );
    assert.equal(
      edited,
      `mirrors:
  gcr.io:   # asked first
    # why there is a mirror
    endpoint: # in this order
      # the list's
      - https://new.example
      - https://keep.example   # stays
      # of the list too
    # of the entry
  quay.io: {endpoint: [https://new.example]} # by hand
  a.example: # nothing yet
    endpoint:
      - https://new.example
  b.example:  # of another
    endpoint: ["https://b.example"]
configs:
  m.example:   # the mirror
    auth: # of the robot
      # its name
      username: "puller" # short
      password: "p" # rotated
    tls:
      ca_file: /ca.crt
`,
    );
  });

  for (const [what, text] of [
    ["no file", ""],
    ["nothing in it", "# nothing yet\n"],
    [
      "a document's start, and lists at their key's own indent",
      "---\nmirrors:\n  docker.io:\n    endpoint:\n    - x\n",
    ],
    ["flow", "mirrors: {docker.io: {endpoint: [x]}}\n"],
    ["other indents", "mirrors:\n    docker.io:\n        endpoint:\n            - x\n    a.example:\n"],
    ["empty entries", "mirrors:\n  docker.io:\nconfigs:\n"],
  ] as const) {
    it(`N1: what is edited says what is meant: ${what}`, () => {
      const edited = editRegistries(text, change, "r");
      const { mirrors, configs } = readRegistries(edited, "r");
      assert.deepEqual(mirrors["docker.io"], { endpoints: ["https://m.example:5000"], rewrites: {} });
      const { "m.example:5000": own } = configs;
      assert.equal(own?.tls?.caFile, "/etc/ca.crt");
      assert.deepEqual(own?.auth, { username: "puller", password: '12" 3' });
      text
        .split("\n")
        .filter((line) => line.startsWith("#") || line.startsWith("---"))
        .forEach((line) => assert.ok(edited.includes(line)));
    });
  }

  it("N1: what cannot be edited without changing something else is refused", () => {
    const text = "mirrors:\n  docker.io: &hub\n    endpoint: [x]\n  quay.io: *hub\n";
    assert.throws(
      () => editRegistries(text, change, "/r.yaml"),
      (error) =>
        error instanceof ContainerdError &&
        error.code === "CONTAINERD_REGISTRIES" &&
        /\/r\.yaml cannot be edited .*without anchors/.test(error.message),
    );
  });
});
