import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { placeText } from "../../../provider/manifests/manifest";
import { ManifestError } from "../../../provider/manifests/manifestError";
import type { DeclaredImagePaths } from "../../../provider/resources/pushSet/manifestSources";
import { findImages } from "../../../provider/resources/pushSet/manifestSources";

const shop = join(__dirname, "samples", "shop");
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;

/** A pod of these images, as a text. */
function pod(...images: string[]): string {
  const containers = images.map((image, n) => `    - name: c${n}\n      image: ${image}\n`).join("");
  return `apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n${containers}`;
}

async function namesIn(sources: unknown, paths?: DeclaredImagePaths): Promise<string[]> {
  return (await findImages(sources, paths === undefined ? {} : { paths })).map(({ image }) => image);
}

/** What is said of each problem: `CODE text`. */
async function problemsIn(sources: unknown, paths?: DeclaredImagePaths): Promise<string[]> {
  try {
    await namesIn(sources, paths);
  } catch (error) {
    assert.ok(error instanceof ManifestError, String(error));
    assert.equal(error.code, error.problems[0]?.code);
    return error.problems.map(({ code, place, message }) => `${code} ${placeText(place)}: ${message}`);
  }
  return [];
}

async function onlyProblem(sources: unknown, expected: RegExp, paths?: DeclaredImagePaths): Promise<void> {
  const problems = await problemsIn(sources, paths);
  assert.equal(problems.length, 1, problems.join("\n"));
  assert.match(problems[0] as string, expected);
}

describe("the images that manifests name", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "registry-mirror-manifests-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string | Buffer): string => {
    const file = join(folder, name);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, text);
    return file;
  };

  it("S2: of a folder with all kinds, each once, sorted, by the names that the push set gives them", async () => {
    assert.deepEqual(await namesIn(shop), [
      "docker.io/kinds/daemonset:1",
      "docker.io/kinds/ephemeral:1",
      "docker.io/kinds/job:1",
      "docker.io/kinds/listed:1",
      "docker.io/kinds/pod:1",
      "docker.io/kinds/podtemplate:1",
      "docker.io/kinds/rc:1",
      "docker.io/kinds/replicaset:1",
      "docker.io/kinds/statefulset:1",
      "docker.io/library/nginx:latest",
      `gcr.io/shop/report:1@${digest("2")}`,
      "ghcr.io/shop/assets:7",
      `quay.io/mesh/proxy@${digest("1")}`,
      "registry.example:5000/shop/migrate:4.2",
    ]);
  });

  it("S2: says where each is named: file, document, line, kind and name, field", async () => {
    const found = await findImages([join(shop, "apps.yaml"), { text: pod("nginx:latest"), name: "debug" }], {});
    const places = found.find(({ image }) => image === "docker.io/library/nginx:latest")?.places;
    assert.deepEqual(places, [
      {
        source: join(shop, "apps.yaml"),
        document: 2,
        line: 24,
        kind: "Deployment",
        name: "web",
        field: "spec.template.spec.containers[0].image",
      },
      { source: "debug", document: 1, line: 8, kind: "Pod", name: "p", field: "spec.containers[0].image" },
    ]);
    const [listed] = await findImages(join(shop, "base", "pods.json"), {});
    assert.equal(
      placeText(listed?.places[0] as never),
      `${join(shop, "base", "pods.json")}:5, document 1 (Pod), items[0].spec.containers[0].image`,
    );
  });

  it("S2: of a text as Helm prints it: comments, empty documents, Windows' lines, a byte order mark, keys twice", async () => {
    const text = `\ufeff---\r\n# Source: app/templates/a.yaml\r\n---\r\n${pod("a/b:1").replaceAll("\n", "\r\n")}---\n---\n${pod("'a/c:1'")}  restartPolicy: Never\n  restartPolicy: Always\n`;
    assert.deepEqual(await namesIn({ text }), ["docker.io/a/b:1", "docker.io/a/c:1"]);
  });

  it("S2: of aliases and merge keys, with the line where they stand", async () => {
    const text = [
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:",
      "    - &base { name: a, image: 'x/a:1' }",
      "    - <<: *base\n      name: b",
      "    - *base",
      "",
    ].join("\n");
    const [found] = await findImages({ text }, {});
    assert.deepEqual([found?.image, found?.places.map(({ line }) => line)], ["docker.io/x/a:1", [5, 6, 8]]);
  });

  it("S2: of objects, and lists of objects", async () => {
    const object = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ image: "a/b" }] } };
    const [found] = await findImages([object, [{ ...object, spec: { containers: [{ image: "a/b:latest" }] } }]], {});
    assert.deepEqual(found, {
      image: "docker.io/a/b:latest",
      places: ["source[0]", "source[1]"].map((source) => ({ source, kind: "Pod", field: "spec.containers[0].image" })),
    });
    await onlyProblem(
      { spec: {} },
      /^IMAGES_IN_NONE source: this object has no Kubernetes manifest, nothing with a kind/,
    );
  });

  it("S2: of custom resources by declared paths, of their group alone", async () => {
    const text = [
      "apiVersion: db.example/v1\nkind: Cluster\nmetadata: { name: main, annotations: { 'db.example/tool': 'db/tool:1' } }",
      "spec:\n  image: db/server:16\n  sidecars: [{ image: 'db/metrics:1' }, { image: null }, {}]",
      "  parts: { a: { image: 'db/a:1' }, b: { image: 'db/b:1' } }",
      "---\napiVersion: other.example/v1\nkind: Cluster\nspec: { image: 'not/this:1' }\n",
    ].join("\n");
    assert.deepEqual(await namesIn({ text }), []);
    const all = [
      "spec.image",
      "spec.sidecars[].image",
      "spec.parts.*.image",
      'metadata.annotations["db.example/tool"]',
    ];
    assert.deepEqual(
      await namesIn({ text }, { "Cluster.db.example": [...all, "spec.backup.image?"] }),
      ["a", "b", "metrics", "server", "tool"].map((name) => `docker.io/db/${name}:${name === "server" ? 16 : 1}`),
    );
    assert.deepEqual(await namesIn({ text }, { Cluster: ["spec.image"] }), [
      "docker.io/db/server:16",
      "docker.io/not/this:1",
    ]);
    await onlyProblem({ text }, /^IMAGES_IN_PATH_UNMATCHED .*"spec\.img" finds no image.*"spec\.img\?"/, {
      "Cluster.db.example": ["spec.img"],
    });
    await onlyProblem({ text }, /^IMAGES_IN_PATH_UNMATCHED .*Cluster\.db\.exampel.*no manifest is of this kind/, {
      "Cluster.db.exampel": ["spec.image?"],
    });
    await onlyProblem(
      { text },
      /^IMAGES_IN_FIELD_TYPE .*:5, document 1 \(Cluster main\), spec\.image: it is not a list/,
      {
        "Cluster.db.example": ["spec.image[]"],
      },
    );
    await onlyProblem({ text }, /^IMAGES_IN_IMAGE_INVALID .*:6, .*spec\.sidecars.*this is a list/, {
      "Cluster.db.example": ["spec.sidecars"],
    });
  });

  it("kinds and paths that cannot be read are named, all of them", async () => {
    const bad = [
      "?",
      "[]",
      ".spec",
      "spec.",
      "spec..image",
      "spec[0].image",
      "spec[name]",
      'a["b',
      "a b",
      "*.image",
      "[]x",
      "a[]b",
    ];
    const problems = await problemsIn({ text: pod("a") }, { "x.example": [], "Kind.example": bad });
    assert.deepEqual(
      problems.map((problem) => problem.split(" ")[0]),
      Array(bad.length + 1).fill("IMAGES_IN_PATH_INVALID"),
    );
    assert.match(problems[0] as string, /"x\.example" names no kind; write Kind\.group/);
    assert.match(
      problems[1] as string,
      /paths\["Kind\.example"\]: "\?" is no path; write it as one of these: spec\.image, /,
    );
    await onlyProblem({ text: pod("a") }, /^ARGUMENTS_INVALID .*options\.paths\["Kind"\]\[0\]/, { Kind: [1 as never] });
  });

  it("one tag with several digests: those with a digest are named by it alone", async () => {
    const images = [
      "a/b:1",
      `a/b:1@${digest("a")}`,
      `a/c:1@${digest("a")}`,
      `a/c:1@${digest("b")}`,
      `a/d:1@${digest("c")}`,
    ];
    assert.deepEqual(await namesIn({ text: pod(...images) }), [
      "docker.io/a/b:1",
      `docker.io/a/b@${digest("a")}`,
      `docker.io/a/c@${digest("a")}`,
      `docker.io/a/c@${digest("b")}`,
      `docker.io/a/d:1@${digest("c")}`,
    ]);
  });

  it("templates and placeholders are named with the way out", async () => {
    const unrendered =
      /^IMAGES_IN_TEMPLATE source:8, document 1 \(Pod p\), spec\.containers\[0\]\.image: .*Render it first/;
    const quoted = [
      "'{{ .Values.image }}'",
      "$IMAGE",
      "${REGISTRY}/a:1",
      "$(IMAGE)",
      "'%IMAGE%'",
      "<your-image>",
      "'@IMAGE@'",
    ];
    for (const image of [...quoted, "{{ .Values.image }}", "ko://example.com/cmd/app"]) {
      await onlyProblem({ text: pod(image) }, unrendered);
    }
    for (const text of [pod("{{ .repo }}:{{ .tag }}"), `{{- if .Values.on }}\n${pod("a:1")}{{- end }}\n`]) {
      await onlyProblem(
        { text },
        /^IMAGES_IN_TEMPLATE source:\d+, document 1: this is a template, no YAML\. Render it first/,
      );
    }
    const kustomization = write(
      "kustomized/kustomization.yaml",
      "resources: [a.yaml]\nimages: [{ name: a, newTag: '2' }]\n",
    );
    await onlyProblem(
      kustomization,
      /^IMAGES_IN_TEMPLATE .*kustomization\.yaml:2, .*images: kustomize changes the images' names/,
    );
  });

  it("what is no image name is named: a number, capitals, a list", async () => {
    await onlyProblem({ text: pod("1.10") }, /^IMAGES_IN_IMAGE_INVALID source:8, .*this is the number 1\.1/);
    await onlyProblem({ text: pod("Nginx") }, /^IMAGES_IN_IMAGE_INVALID .*image name "Nginx": "library\/Nginx" is not/);
    await onlyProblem({ text: pod("[a]") }, /^IMAGES_IN_IMAGE_INVALID .*this is a list/);
    const longest = (await problemsIn({ text: pod("x".repeat(100_000)) })).join("");
    assert.ok(longest.length < 2_000, String(longest.length));
  });

  it("control characters of a manifest do not reach a terminal", async () => {
    const text = 'kind: Pod\nmetadata: { name: "a\\u001b[31m" }\nspec: { containers: [{ image: "b\\n\\e]0;c" }] }\n';
    await assert.rejects(namesIn({ text }), ({ message }: Error) => {
      assert.match(message, /^source:3, document 1 \(Pod a\\u001b\[31m\), .*image name "b\\u000a\\u001b\]0;c"/);
      return !/\p{Cc}/u.test(message);
    });
  });

  it("bad YAML is told with file and line, without the file's text, and each document by itself", async () => {
    const file = write("bad/bad.yaml", `${pod("a:1")}---\npassword: "hunter2\n---\na: b: hunter2\n`);
    const problems = await problemsIn(join(folder, "bad"));
    assert.equal(problems.length, 1, "an open quote has no end");
    assert.match(problems[0] as string, /^IMAGES_IN_SYNTAX .*bad\.yaml:\d+, document 2: this is not valid YAML/);
    assert.ok(problems[0]?.includes(file) && !problems[0].includes("hunter2"));
    const deep = await problemsIn({ text: "[".repeat(2_000) });
    assert.match(deep[0] as string, /^IMAGES_IN_SYNTAX /);
    await onlyProblem({ text: "a: *nobody\n" }, /^IMAGES_IN_SYNTAX source:1/);
  });

  it("aliases of aliases end", async () => {
    const levels = Array.from(
      { length: 9 },
      (_, n) =>
        `a${n}: &a${n} [${Array(9)
          .fill(n === 0 ? "{image: 'x/y:1'}" : `*a${n - 1}`)
          .join(", ")}]`,
    );
    const text = `apiVersion: e.example/v1\nkind: Laughs\n${levels.join("\n")}\n`;
    await onlyProblem({ text }, /^IMAGES_IN_UNREADABLE source:1, document 1: .*aliases nest too deep/, {
      "Laughs.e.example": [`a8${"[]".repeat(9)}.image`],
    });
    assert.deepEqual(await namesIn({ text: "kind: List\nitems: &self [{ kind: List, items: *self }]\n" }), []);
  });

  it("a file or folder that is not there, or has no manifest, is an error; one without workloads is none", async () => {
    await onlyProblem(join(folder, "none"), /^IMAGES_IN_NOT_FOUND .*none: there is no such file or folder/);
    await onlyProblem(
      write("empty/values.yaml", "image: nginx\n"),
      /^IMAGES_IN_NONE .*values\.yaml: this file has no Kubernetes manifest/,
    );
    await onlyProblem(join(folder, "empty"), /^IMAGES_IN_NONE .*empty: this folder has no Kubernetes manifest/);
    await onlyProblem({ text: "" }, /^IMAGES_IN_NONE source: this text has no/);
    await onlyProblem(
      write("latin1.yaml", Buffer.from("# caf\xe9\n", "latin1")),
      /^IMAGES_IN_UNREADABLE .*it is not UTF-8/,
    );
    assert.deepEqual(await namesIn(write("config", "apiVersion: v1\nkind: ConfigMap\ndata: { a: b }\n")), []);
  });

  it("links are followed once, other programs' folders are not looked into", async () => {
    write("links/real/a.yaml", pod("a:1"));
    write("links/node_modules/b/bad.yaml", "a: b: c\n");
    write("links/.git/bad.yaml", "a: b: c\n");
    symlinkSync("real", join(folder, "links", "again"));
    symlinkSync("..", join(folder, "links", "real", "up"));
    symlinkSync("nowhere", join(folder, "links", "lost"));
    const found = await findImages(join(folder, "links"), {});
    assert.deepEqual(
      found.map(({ image, places }) => [image, places.length]),
      [["docker.io/library/a:1", 1]],
    );
    symlinkSync("nowhere", join(folder, "links", "lost.yaml"));
    await onlyProblem(join(folder, "links"), /^IMAGES_IN_NOT_FOUND .*lost\.yaml/);
  });

  it("arguments of other kinds are named", async () => {
    await onlyProblem([], /^ARGUMENTS_INVALID imagesIn: source: an empty list/);
    await onlyProblem(
      pod("a"),
      /^ARGUMENTS_INVALID imagesIn: source\[0\]: it is a text, not a path; give it as \{ text/,
    );
    for (const source of [undefined, null, 1, "", true]) {
      await onlyProblem(
        [source],
        /^ARGUMENTS_INVALID imagesIn: source\[0\]: .*the path of a file or folder of manifests/,
      );
    }
    await onlyProblem({ text: 1 }, /^ARGUMENTS_INVALID imagesIn: source\[0\]\.text/);
  });

  it("a folder of templates says twenty, and how many more", async () => {
    for (let n = 0; n < 25; n += 1) {
      write(`many/${n}.yaml`, pod("{{ .image }}"));
    }
    await assert.rejects(namesIn(join(folder, "many")), (error: Error) => {
      assert.match(error.message, /^imagesIn found 25 problems:\n/);
      assert.match(error.message, / {2}and 5 more$/);
      return error.message.includes("[IMAGES_IN_TEMPLATE]");
    });
  });
});
