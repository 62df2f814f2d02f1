import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { aggregateVerification } from "../../../../provider/verify/clusterVerification";
import type { HostVerification, Verdict } from "../../../../provider/verify/nodeVerification";
import { script, style } from "../../../../provider/verify/page/assets";
import { html } from "../../../../provider/verify/page/html";
import { renderReportPage } from "../../../../provider/verify/page/renderReportPage";
import { coverageSigns, verdictSigns } from "../../../../provider/verify/page/signs";
import { verdicts } from "../../../../provider/verify/verdict";
import { proven } from "../../sdk/proven";
import { contrast, distance, visions } from "./colour";
import { fleet, hostile, hostilePushed, hostileTexts, pushed, worst } from "./fixtures";

/** The document without what the package itself puts into it. */
function ofValues(page: string): string {
  return page.replace(`<style>${style}</style>`, "").replace(`<script>${script}</script>`, "");
}

/** Without the whole document in the message. */
function has(page: string, wanted: RegExp, why = ""): void {
  assert.ok(wanted.test(page), `not on the page: ${String(wanted)} ${why}`);
}

const escapeText = (text: string): string => html`${text}`.markup;

const [host] = proven("n1").hosts as [HostVerification];

describe("report page: markup", () => {
  it("text is escaped, markup is not, and what cannot be seen is written out", () => {
    assert.equal(html`<b title="${`a"b'c`}">${"<&>`"}</b>`.markup, `<b title="a&quot;b&#39;c">&lt;&amp;&gt;&#96;</b>`);
    assert.equal(html`<p>${[html`<i>${1}</i>`, undefined, "x"]}</p>`.markup, "<p><i>1</i>x</p>");
    assert.equal(
      escapeText("a\u202eb\u200b\u0000\u{e0041}\ud800\tc\nd"),
      "a\\u202eb\\u200b\\u0000\\ue0041\\ud800\tc\nd",
    );
    assert.equal(escapeText("مرآة 鏡 é"), "مرآة 鏡 é", "a name in another script stays as it is");
  });

  it("hostile names stay text, wherever they stand", () => {
    const page = ofValues(renderReportPage(hostile(), { title: hostileTexts.join(" "), pushSets: [hostilePushed()] }));
    const plain = ofValues(renderReportPage(fleet(100, 12), { title: "plain", pushSets: [pushed(12)] }));
    const tags = (text: string): string[] =>
      [...new Set([...text.matchAll(/<[/!]?[a-z]+/gi)].map(([tag]) => tag))].sort();
    // Not one kind of element that a document without them has not.
    assert.deepEqual(
      tags(page).filter((tag) => !tags(plain).includes(tag)),
      [],
    );
    assert.doesNotMatch(page, /<script|<img|<svg onload|onerror="|javascript:globalThis[^&]*"/i);
    assert.doesNotMatch(page, /[\u0000-\u0008\u202a-\u202e\u200b\ud800-\udfff]/);
    for (const text of hostileTexts) {
      assert.ok(page.includes(`<bdi>${escapeText(text)}</bdi>`), text);
    }
  });

  it("no name is an address, a class or an id: those are the package's own", () => {
    const page = ofValues(renderReportPage([hostile(), fleet(300, 4)], { pushSets: [hostilePushed(), pushed(40)] }));
    for (const [, name, value = ""] of page.matchAll(
      / (href|class|id|data-list|data-verdict|style|on\w+)="([^"]*)"/g,
    )) {
      assert.match(value, /^#?[a-z][a-z0-9 -]*$/, `${name}="${value}"`);
      assert.notEqual(name, "style");
    }
  });
});

describe("report page: policy", () => {
  const page = renderReportPage(fleet(3, 2));

  it("nothing runs, is styled or is loaded but the style and the script whose hashes it names", () => {
    const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]*)"/
      .exec(page)?.[1]
      ?.replaceAll("&#39;", "'");
    const hash = (tag: string): string =>
      createHash("sha256")
        .update(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? "")
        .digest("base64");
    assert.equal(
      policy,
      `default-src 'none'; style-src 'sha256-${hash("style")}'; script-src 'sha256-${hash("script")}'; base-uri 'none'; form-action 'none'`,
    );
    assert.ok(page.indexOf("Content-Security-Policy") < page.indexOf("<style>"), "it stands before what it is about");
    assert.equal(page.match(/<style|<script/g)?.length, 2);
    assert.doesNotMatch(page, /<link|<img|<iframe|@import|url\(| style=| on[a-z]+=/i);
  });

  it("the style and the script cannot end their elements", () => {
    assert.doesNotMatch(style, /<\//);
    assert.doesNotMatch(script, /<\/|<!--/);
  });
});

describe("report page: what it shows", () => {
  it("the same values give the same document, with no time in it", () => {
    assert.equal(renderReportPage(fleet(300, 4)), renderReportPage(structuredClone(fleet(300, 4))));
    assert.doesNotMatch(ofValues(renderReportPage(fleet(3, 2))), /20\d\d-\d\d|GMT|UTC/);
  });

  it("each verdict and each status of an image has a sign of its own", () => {
    for (const signs of [verdictSigns, coverageSigns]) {
      const all = Object.values(signs).map(({ sign }) => sign);
      assert.equal(new Set(all).size, all.length);
    }
    assert.deepEqual(Object.keys(verdictSigns).sort(), [...verdicts].sort());
    const page = renderReportPage(
      aggregateVerification(
        "c",
        verdicts.map((verdict) => ({ ...proven(verdict), verdict })),
      ),
    );
    for (const verdict of verdicts) {
      assert.ok(page.includes(`<b>${verdictSigns[verdict].sign}</b> ${verdict}</span>`), verdict);
    }
  });

  it("nodes, hosts, order, digests whole, coverage with its gaps, findings, what is not configured", () => {
    const page = renderReportPage(fleet(3, 2), { title: "Site 7" });
    has(page, /<title>Site 7<\/title>/);
    has(page, /<h2>Cluster admin1<\/h2>/);
    has(page, /<dt>nodes are good<\/dt><dd>2 of 3<\/dd>/);
    has(page, /<bdi>https:\/\/172\.18\.0\.20:5000\/v2\/test-namespace, upstream<\/bdi>/);
    has(page, new RegExp(`<code class="whole">sha256:${"01".repeat(32)}</code>`));
    has(page, /115 of 121 images would come from the mirror if the public registries were gone/);
    has(page, /aria-label="Images of all nodes: 115 served, 3 not-mirrored, 1 missing, 2 other-digest"/);
    has(page, /gcr\.io\/anthos-baremetal-release\/ansible-runner:1\.30<\/bdi><\/td><td>runs<\/td>/);
    has(page, /<dd>95 %<\/dd>/, "never rounded up");
    has(page, /gcr\.io: the probe image did not come through the public name \(fallback\)/);
    has(page, /<h3>Not configured yet<\/h3><p> ?Left out by rollout\.only: <bdi>10\.9\.9\.1<\/bdi>/);
  });

  it("a verdict of a newer version, or of a program's own, is shown as one that nobody knows", () => {
    const odd = "sort-of" as Verdict;
    const page = renderReportPage({ ...proven("n1"), verdict: odd, hosts: [{ ...host, verdict: odd }] });
    has(page, /<td class="unknown"><b>\?<\/b><i> sort-of<\/i>/);
    has(page, /<span class="badge unknown"><b>\?<\/b> sort-of<\/span>/);
  });

  it("a node without images has no coverage to show", () => {
    const bare = { ...proven("n1"), coverage: { counts: {}, gaps: [] } };
    assert.equal(renderReportPage(bare), renderReportPage(proven("n1")));
  });

  it("nodes of no cluster, several clusters, and none at all", () => {
    has(renderReportPage([proven("n1"), undefined]), /<h2>Nodes<\/h2>/);
    const both = renderReportPage([fleet(3, 2), { ...fleet(12, 3), cluster: "user1" }]);
    has(both, /<a href="#part-2"><bdi>Cluster user1<\/bdi><\/a>/);
    has(both, /<section class="cluster" id="part-2"><h2>Cluster user1<\/h2>/);
    has(renderReportPage([]), /No node has been verified\./);
  });

  it("N6: what was pulled beforehand, from where, and what did not come, with nodes and words", () => {
    const page = renderReportPage(fleet(300, 2));
    has(page, /<h3>Pulled beforehand<\/h3><p>\d+ images were pulled beforehand, \d+ were there already, \d+ could not/);
    has(page, /<td><bdi>registry\.k8s\.io<\/bdi><\/td><td class="number">4 each<\/td><td class="number">0 to 2<\/td>/);
    has(page, /<bdi>gcr\.io\/huge:1<\/bdi><\/td><td>other<ul class="said"> ?<li>no space left, as 10\.0\.0\.1 says/);
    has(page, /<p>And 60 more, which the nodes count and do not name\.<\/p>/);
    assert.ok(!renderReportPage(proven("n1")).includes("beforehand"));
  });

  it("S4, S5: what was pushed: registries, each image once with digest, signer and reason; what is not as declared", () => {
    const page = renderReportPage([], { pushSets: [pushed(6)] });
    has(page, /<section class="pushed" id="pushed-1"><h2>Push set images<\/h2>/);
    has(page, /<tr class="good"><th scope="row"><bdi>172\.18\.0\.20:5000\/test-namespace<\/bdi>, <bdi>172\.18\.0\.21/);
    has(page, /<td>6 images<\/td><td>3 of 6, by sha256:ab12cd34ef56 \(2\), sha256:0123456789ab \(1\)<\/td>/);
    has(page, /<td>failed in the last push<\/td><td class="long"><bdi>gcr\.io\/\S+: the registry&#39;s disk is full/);
    has(page, /<bdi>gcr\.io\/\S+image-1:1\.28<\/bdi>.*let it go: REGISTRY_DELETE_DISABLED<\/td>/);
    has(page, /image-3:1\.30<\/bdi><\/th>.*<b>≠<\/b> changed<\/span><small>linux\/arm64 is left out/);
    assert.equal(page.match(/data-image/g)?.length, 6 + (script.match(/data-image/g)?.length ?? 0));
    const several = renderReportPage([], { pushSets: [pushed(2), { name: "none", registries: [] }] });
    has(several, /id="pushed-2"><h2>Push set none<\/h2> ?<p>It has pushed nothing\.<\/p>/);
    assert.equal(renderReportPage(proven("n1"), { pushSets: [] }), renderReportPage(proven("n1")));
  });

  it("1,000 images in three registries: at most 650 kB", () => {
    const { length } = Buffer.from(renderReportPage([], { pushSets: [pushed(1000)] }));
    assert.ok(length < 650_000, `${length} bytes`);
  });

  it("nodes that are alike are one row, and a list of nodes stands there once", () => {
    const page = ofValues(
      renderReportPage(
        aggregateVerification(
          "c",
          Array.from({ length: 1000 }, (_, n) => proven(`node-${n}`)),
        ),
      ),
    );
    assert.equal(page.match(/<tr/g)?.length, 6, "matrix, routes, images: a head and a row each");
    assert.equal(page.match(/node-999\b/g)?.length, 1);
    has(page, /<a href="#part-1-list-1">all 1000 nodes<\/a>/);
  });

  it("1,000 nodes with 20 hosts: at most 220 kB, and 2 MB where no two are alike; in three seconds of one core", () => {
    const started = process.cpuUsage();
    const usual = Buffer.byteLength(renderReportPage(fleet(1000, 20)));
    const large = Buffer.byteLength(renderReportPage(worst(1000, 20)));
    const { user, system } = process.cpuUsage(started);
    assert.ok(usual < 220_000, `${usual} bytes`);
    assert.ok(large < 2_000_000, `${large} bytes`);
    assert.ok(user + system < 3_000_000, `${user + system} µs`);
  });
});

describe("report page: colours", () => {
  const block = (css: string): Record<string, string> =>
    Object.fromEntries(
      [...css.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map(([, name = "", value = ""]) => [name, value]),
    );
  const [light = "", dark = ""] = style.split("@media screen and (prefers-color-scheme: dark)");
  const tones = ["proven", "agrees", "bypassed", "failing", "wrong", "unknown"];

  for (const [mode, colours] of [
    ["light", block(light)],
    ["dark", block(dark.slice(0, dark.indexOf("\n}\n}")))],
  ] as const) {
    it(`${mode}: text has a contrast of 4.5 at least`, () => {
      for (const [on, text] of [
        ["paper", "ink"],
        ["paper", "muted"],
        ["panel", "ink"],
        ["panel", "muted"],
        ["paper", "link"],
        ...[...tones, "neutral"].map((tone) => [tone, `on-${tone}`] as const),
      ] as const) {
        const ratio = contrast(colours[on] ?? "", colours[text] ?? "");
        assert.ok(ratio >= 4.5, `${text} on ${on}: ${ratio.toFixed(2)}`);
      }
    });

    it(`${mode}: whoever lacks a kind of cones tells the colours apart, five times as far as is just seen`, () => {
      for (const [vision, matrix] of Object.entries(visions)) {
        for (const [n, a] of tones.entries()) {
          for (const b of tones.slice(n + 1)) {
            const far = distance(colours[a] ?? "", colours[b] ?? "", matrix);
            assert.ok(far >= 0.1, `${vision}: ${a} and ${b}: ${far.toFixed(3)}`);
          }
        }
      }
    });
  }
});
