import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Problem } from "../../../../provider/model/problem";
import { unknownValue } from "../../../../provider/pulumi/plainValue";
import { warningOfLacks } from "../../../../provider/resources/pushSet/lacks";
import { inspectPackage } from "../../../../provider/resources/pushSet/package";
import {
  checkCredentials,
  checkDistinct,
  checkSecrets,
  isSecretProxy,
  resolveCa,
  resolveEndpoint,
} from "../../../../provider/resources/pushSet/registry";
import { PushSetRun } from "../../../../provider/resources/pushSet/run";
import { checkSettings, resolveProbe } from "../../../../provider/resources/pushSet/settings";
import { image, layer } from "../../archive/make/image";
import { writePackage } from "../../archive/make/pack";
import { Bench } from "../../archive/make/read";
import { layout, named } from "../../archive/make/shapes";

const codes = (problems: Problem[]): string[] => problems.map(({ code }) => code);

describe("arguments of a push set, without a Pulumi program", () => {
  const bench = new Bench();
  before(() => bench.open());
  after(() => bench.close());

  it("a package: its fingerprint and a line an image; a copy elsewhere is the same", async () => {
    const one = image("one", [layer("one")]);
    const source = await writePackage(bench.folder, layout([named(one, "gcr.io/a/one:1")]), "tar", "one");
    const copy = await writePackage(bench.folder, layout([named(one, "gcr.io/a/one:1")]), "tar", "copy");
    const seen = await inspectPackage({ source, spoolDir: bench.spoolDir });
    assert.deepEqual(seen.problems, []);
    assert.match(seen.value?.contents?.join() ?? "", /^gcr\.io\/a\/one:1 sha256:[0-9a-f]{64}$/);
    const other = await inspectPackage({ source: [copy], spoolDir: bench.spoolDir });
    assert.equal(other.value?.fingerprint, seen.value?.fingerprint);
  });

  it("a package that is not there is no problem yet: check knows whether it was pushed before", async () => {
    const { value, problems } = await inspectPackage({ source: join(bench.folder, "none.tar") });
    assert.deepEqual(problems, []);
    assert.match(value?.missing ?? "", /none\.tar/);
  });

  it("a package that is none, a list that names nothing, or one twice", async () => {
    const broken = join(bench.folder, "broken.tar");
    writeFileSync(broken, "no archive at all");
    assert.equal((await inspectPackage({ source: broken })).problems.length, 1);
    assert.deepEqual(codes((await inspectPackage({ source: [] })).problems), ["SOURCE_INVALID"]);
    assert.deepEqual(codes((await inspectPackage({ source: ["a.tar", "a.tar"] })).problems), ["SOURCE_INVALID"]);
    assert.deepEqual(codes((await inspectPackage({ source: 7 as unknown as string })).problems), ["ARGUMENTS_INVALID"]);
  });

  it("an endpoint and a CA", () => {
    assert.equal(resolveEndpoint("172.18.0.20:5000/ns").value?.namespace, "ns");
    assert.deepEqual(codes(resolveEndpoint("ftp://172.18.0.20:5000").problems), ["ENDPOINT_INVALID"]);
    assert.deepEqual(codes(resolveEndpoint("").problems), ["ARGUMENTS_INVALID"]);
    assert.deepEqual(resolveCa({}), { value: undefined, problems: [] });
    assert.deepEqual(codes(resolveCa({ caCert: "hello" }).problems), ["CA_INVALID"]);
    assert.deepEqual(codes(resolveCa({ caCert: "hello", caCertPath: "ca.crt" }).problems), ["CA_TWICE"]);
    assert.deepEqual(codes(resolveCa({ caCertPath: join(bench.folder, "none.crt") }).problems), ["FILE_UNREADABLE"]);
  });

  it("S4: a list of registries: none twice, whatever way it is written; an error names the entry", () => {
    const [twice, ...others] = checkDistinct(["a.example", "10.0.0.5:5000/ns", "http://a.example:443"]).problems;
    assert.equal(twice?.code, "REGISTRY_TWICE");
    assert.match(
      twice.text,
      /^registry\[0\] "a\.example" and registry\[2\] "http:\/\/a\.example:443" are the same place;/,
    );
    assert.deepEqual(others, []);
    assert.deepEqual(checkDistinct(["10.0.0.5:5000/ns", "10.0.0.5:5000/other", "10.0.0.5:5001/ns"]).problems, []);
    assert.deepEqual(codes(checkDistinct([]).problems), ["ARGUMENTS_INVALID"]);
    assert.deepEqual(checkDistinct(["", ""]).problems, [], "resolveEndpoint says what is wrong with each");
    const [half] = checkCredentials({ username: "u", withPassword: false }, "registry[1]").problems;
    assert.match(half?.text ?? "", /^registry\[1\]: username is given without password/);
  });

  it("credentials in two ways, or by halves", () => {
    const judged = (given: Parameters<typeof checkCredentials>[0]) => codes(checkCredentials(given).problems);
    assert.deepEqual(judged({ withPassword: false }), []);
    assert.deepEqual(judged({ username: "u", withPassword: true }), []);
    assert.deepEqual(judged({ username: "u", withPassword: false }), ["CREDENTIALS_INCOMPLETE"]);
    assert.deepEqual(judged({ username: "u", dockerConfigPath: "c", withPassword: true }), ["CREDENTIALS_TWICE"]);
    assert.deepEqual([isSecretProxy("http://u:p@h:1"), isSecretProxy("http://h:1")], [true, false]);
  });

  it("everything else: by its kind, and what is not known yet is passed over", () => {
    const right = { include: unknownValue, exclude: ["gcr.io/*"] };
    assert.deepEqual(checkSettings(right).problems, []);
    assert.deepEqual(codes(checkSettings({ ...right, deleteImages: "yes" }).problems), ["ARGUMENTS_INVALID"]);
    const [problem] = checkSecrets({ password: 7777 }).problems;
    assert.match(problem?.text ?? "", /^registry\.password: it is a number; give a text/);
    assert.deepEqual(resolveProbe(undefined).value, "registry-mirror-probe/probe");
    assert.deepEqual(resolveProbe(false), { value: false, problems: [] });
    assert.deepEqual(codes(resolveProbe("").problems), ["ARGUMENTS_INVALID"]);
  });

  it("images that are only partly in the package, of those that are chosen", () => {
    const seen = {
      contents: ["gcr.io/a:1 sha256:1", "gcr.io/b:1 sha256:2"],
      lacks: [
        { source: "gcr.io/a:1", names: ["linux/arm64"] },
        { source: "gcr.io/b:1", names: ["linux/s390x"] },
      ],
    };
    const warned = (patterns: Parameters<typeof warningOfLacks>[1]) => {
      const warning = warningOfLacks(seen, patterns) ?? "";
      return ["arm64", "s390x"].filter((platform) => warning.includes(platform));
    };
    assert.deepEqual(warned({}), ["arm64", "s390x"]);
    assert.deepEqual(warned({ exclude: ["gcr.io/b"] }), ["arm64"]);
    assert.deepEqual(warned({ include: ["gcr.io/none"] }), []);
    assert.deepEqual(warned({ include: [7] as unknown as string[] }), []);
  });

  it("what one push set's check has seen is known to that run alone", () => {
    const [run, other] = [new PushSetRun(), new PushSetRun()];
    run.remember({ fingerprint: "f", contents: ["gcr.io/a:1 sha256:1"] });
    run.remember({ fingerprint: "g" });
    assert.deepEqual(run.contentsOf("f"), ["gcr.io/a:1 sha256:1"]);
    assert.deepEqual(
      [run.contentsOf("g"), run.contentsOf(undefined), other.contentsOf("f")],
      [undefined, undefined, undefined],
    );
  });
});
