import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Lab } from "../../lab";
import { must } from "../../lab/execute";
import type { ImagePackage } from "../../lab/imagePackages";
import { copyToRegistry } from "../../lab/publicImages";

/** Images that can be run, which nothing but the registries they are put into has. */
export class RunnableImages {
  private readonly folder = mkdtempSync(join(tmpdir(), "runnable-images-"));
  private readonly layout = join(this.folder, "layout");

  /**
   * Each stays up until it is ended, as a sandbox's image must, and has its own name in /etc/image.
   */
  static async of(lab: Lab, names: readonly string[]): Promise<RunnableImages> {
    const made = new RunnableImages(names);
    const { path, images } = lab.packages.folder;
    const busybox = images.find(({ name }) => name.includes("/tools:"))?.name ?? "";
    cpSync(path, made.layout, { recursive: true });
    for (const name of names) {
      const image = `${made.layout}:${name}`;
      const note = join(made.folder, "note");
      writeFileSync(note, name);
      await must("umoci", ["tag", "--image", `${made.layout}:${busybox}`, name]);
      await must("umoci", ["insert", "--image", image, note, "/etc/image"]);
      await must("umoci", [
        "config",
        "--image",
        image,
        "--config.cmd",
        "/bin/busybox",
        "--config.cmd",
        "sleep",
        "--config.cmd",
        "86400",
      ]);
    }
    return made;
  }

  private constructor(private readonly names: readonly string[]) {}

  /** Below `namespace`, where a mirror has them. */
  async copyTo(registry: Parameters<typeof copyToRegistry>[1], namespace?: string): Promise<void> {
    const images = this.names.map((name) => ({ name, digest: "", mediaType: "" }));
    const source: ImagePackage = { path: this.layout, images };
    await copyToRegistry(source, registry, namespace === undefined ? {} : { namespace });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
