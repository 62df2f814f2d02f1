/** Makes docs/report.png anew, after a change of the page: `npx tsx tests/page/picture.ts`. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Digest } from "../../provider/model/digest";
import { aggregateVerification } from "../../provider/verify/clusterVerification";
import type { NodeVerification } from "../../provider/verify/nodeVerification";
import { renderReportPage } from "../../provider/verify/page/renderReportPage";
import type { ReportedPushSet } from "../../provider/verify/pushed/reportedPushSet";
import { Browser } from "../lab/page/browser";
import { chromiumOrSkip } from "../lab/page/chromium";
import { OpenPage } from "../lab/page/openPage";

const mirror = "mirror.site7:5000/platform";
const endpoint = "https://mirror.site7:5000/v2/platform";
const hosts = ["gcr.io", "registry.k8s.io", "quay.io"];
const compared = ["gcr.io/distroless/static:v13", "registry.k8s.io/coredns/coredns:v1.12.1"];
const lacking = "quay.io/cilium/cilium:v1.17.2";

const digest = (text: string): Digest => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const inMirror = (image: string): string => image.replace(/^[^/]+/, mirror);

/** @param lacks The mirror lacks an image that it runs. */
function node(name: string, containerd: string, lacks = false): NodeVerification {
  return {
    node: name,
    containerd,
    verdict: lacks ? "not-found" : "proven",
    hosts: hosts.map((host) => {
      const isBad = lacks && host === "quay.io";
      return {
        host,
        endpoints: isBad ? [endpoint] : [endpoint, "upstream"],
        configured: true,
        proof: isBad ? "failed" : "proven",
        verdict: isBad ? "not-found" : "proven",
        ...(isBad ? { cause: "not-found", error: `failed to resolve reference "${lacking}": not found` } : {}),
      };
    }),
    images: compared.map((image) => ({
      image,
      mirrorImage: inMirror(image),
      expectedDigest: digest(image),
      publicRepoDigest: digest(image),
      mirrorRepoDigest: digest(image),
      match: true,
    })),
    ...(lacks ? { findings: [`quay.io: the mirror answers, and does not have ${lacking}`] } : {}),
    coverage: {
      counts: lacks ? { served: 38, missing: 1 } : { served: 41 },
      gaps: lacks ? [{ image: lacking, status: "missing", digest: digest(lacking), runs: true }] : [],
    },
  };
}

const sizes: Record<string, number> = {
  [compared[0] ?? ""]: 2_400_000,
  [compared[1] ?? ""]: 21_700_000,
  "gcr.io/distroless/base:v13": 9_800_000,
  "quay.io/cilium/operator-generic:v1.17.2": 38_300_000,
};
const pushed: ReportedPushSet = {
  name: "platform-images",
  registries: [
    {
      endpoint: mirror,
      host: "mirror.site7:5000",
      images: Object.entries(sizes).map(([source, size]) => ({
        source,
        target: inMirror(source),
        digest: digest(source),
        mediaType: "application/vnd.oci.image.index.v1+json",
        size,
        preserved: true,
        ...(source.startsWith("quay.io/") ? {} : { signed: true, signedBy: ["sha256:9f86d081884c"] }),
      })),
    },
  ],
};
const nodes = [node("worker-1", "1.7.24"), node("edge-k3s", "2.1.4"), node("edge-microk8s", "1.7.27", true)];

async function main(): Promise<void> {
  const root = await chromiumOrSkip({ skip: () => process.exit(1), timeout: () => 0 as never });
  const folder = mkdtempSync(join(tmpdir(), "registry-mirror-picture-"));
  const text = renderReportPage(aggregateVerification("site7", nodes), { title: "Site 7", pushSets: [pushed] });
  writeFileSync(join(folder, "page.html"), text);
  const browser = new Browser(root, folder);
  try {
    const page = await OpenPage.open(browser, "page.html", { width: 1100 });
    writeFileSync(join(__dirname, "../../docs/report.png"), await page.picture(0.85));
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
}

void main();
