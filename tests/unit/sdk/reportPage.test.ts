import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { MirrorError } from "../../../provider/model/errors";
import { renderReportPage } from "../../../provider/verify/page/renderReportPage";
import { writePage } from "../../../provider/verify/page/writePage";
import { renderReport } from "../../../provider/verify/report";
import type { ImagePushSet } from "../../../sdk/pushSet/imagePushSet";
import { reportPage } from "../../../sdk/report/reportPage";
import { verificationReport } from "../../../sdk/report/verificationReport";
import { pushed } from "../verify/page/fixtures";
import { proven } from "./proven";

const of = (value: pulumi.Output<string>): Promise<string> => new Promise((resolve) => value.apply(resolve));

/** A resource of which a report takes name and registries. */
class Named extends pulumi.CustomResource {}

describe("report page, written", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "registry-mirror-page-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  async function run(dryRun: boolean, ...args: Parameters<typeof reportPage>): Promise<string> {
    await pulumi.runtime.setMocks(
      { call: () => ({}), newResource: ({ name }) => ({ id: name, state: {} }) },
      "project",
      "stack",
      dryRun,
    );
    return of(reportPage(...args));
  }

  it("an update writes it, a preview does not; what is there and equal stays as it is", async () => {
    const path = join(folder, "report.html");
    const page = renderReportPage(proven("n1"), { title: "Site" });
    const args = [pulumi.output(proven("n1")), { title: pulumi.output("Site"), path }] as const;
    assert.equal(await run(true, ...args), page);
    assert.equal(existsSync(path), false);
    assert.equal(await run(false, ...args), page);
    assert.equal(readFileSync(path, "utf8"), page);
    const { ino } = statSync(path);
    await run(false, ...args);
    assert.equal(statSync(path).ino, ino, "not written again");
    await run(false, [pulumi.output(proven("n1")), proven("n2")], { path });
    assert.equal(readFileSync(path, "utf8"), renderReportPage([proven("n1"), proven("n2")]));
    assert.deepEqual(readdirSync(folder), ["report.html"], "nothing is left beside it");
  });

  it("S4, S5: push sets: the resource under its name, or a name and its registries; one, several, and outputs", async () => {
    const { registries } = pushed(3);
    const page = (...names: string[]): string =>
      renderReportPage(proven("n1"), { pushSets: names.map((name) => ({ name, registries })) });
    const named = (name: string) => ({ name: pulumi.output(name), registries: pulumi.output(registries) });
    await run(false, proven("n1"));
    const resource = new Named("t:t:ImagePushSet", "site-7", { registries });
    const images = Object.assign(resource, { registries: pulumi.output(registries) }) as unknown as ImagePushSet;
    assert.equal(await of(reportPage(proven("n1"), { pushSets: images })), page("site-7"));
    assert.equal(await of(reportPage(proven("n1"), { pushSets: [images, named("b")] })), page("site-7", "b"));
    assert.equal(
      await of(verificationReport(proven("n1"), { pushSets: named("a") })),
      renderReport(proven("n1"), { pushSets: [{ name: "a", registries }] }),
    );
    assert.equal(await of(reportPage(proven("n1"), { pushSets: [] })), renderReportPage(proven("n1")));
  });

  it("a link's target is written, and the link stays", function () {
    if (process.platform === "win32") {
      // A link needs a right of its own there.
      this.skip();
    }
    const target = join(folder, "target.html");
    writeFileSync(target, "old");
    symlinkSync(target, join(folder, "link.html"));
    writePage(join(folder, "link.html"), "new");
    assert.equal(readFileSync(target, "utf8"), "new");
    assert.deepEqual(readdirSync(folder).sort(), ["link.html", "target.html"]);
  });

  it("what cannot be written is an error that names the path, the reason and the way out", () => {
    mkdirSync(join(folder, "is-a-folder"));
    for (const [path, why] of [
      [join(folder, "none", "report.html"), `there is no folder ${join(folder, "none")}`],
      [join(folder, "is-a-folder"), "it is a folder"],
    ] as const) {
      assert.throws(
        () => writePage(path, "page"),
        (error) => {
          assert.ok(error instanceof MirrorError);
          assert.equal(error.code, "FILE_NOT_WRITTEN");
          assert.equal(
            error.message,
            `path: cannot write ${path}: ${why}. Give the path of a file in a folder that is there and that Pulumi's user may write to.`,
          );
          return true;
        },
      );
    }
    assert.deepEqual(readdirSync(folder), ["is-a-folder"], "nothing is left beside it");
  });
});
