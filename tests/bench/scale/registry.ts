import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { image } from "../../unit/archive/make/image";
import { writePackage } from "../../unit/archive/make/pack";
import { layout, named } from "../../unit/archive/make/shapes";
import { CertificateFolder } from "../../unit/registry/kit/certificates";
import { FakeRegistry } from "../../unit/registry/kit/fakeRegistry";
import type { Site } from "./programs";

/** Images of the package: about as many as one of Google's has. */
const imageCount = 100;
const namespace = "test-namespace";

/**
 * A registry with a private CA of the usual kind (RSA, 2,048 bit) and a password, and a package of small images to push
 * into it.
 */
export class ScaleRegistry {
  private constructor(
    private readonly registry: FakeRegistry,
    private readonly certificates: CertificateFolder,
    readonly site: Site,
    /** `{NAME: DIGEST}`, of all images by their public and by the mirror's name. */
    readonly imagesPath: string,
  ) {}

  static async start(folder: string): Promise<ScaleRegistry> {
    const certificates = new CertificateFolder();
    const [caKey, caCertPath] = [join(folder, "ca.key"), join(folder, "ca.crt")];
    execFileSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        caKey,
        "-out",
        caCertPath,
        "-days",
        "2",
        "-subj",
        "/O=Example Corporation/CN=Registry CA",
      ],
      { stdio: "ignore" },
    );
    const authority = { cert: readFileSync(caCertPath, "utf8"), key: readFileSync(caKey, "utf8") };
    const registry = await new FakeRegistry(certificates.server(authority, ["IP:127.0.0.1"])).start();
    const [username, password] = ["puller", "a-long-enough-password"];
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    registry.script = ({ request, answer }) => {
      if (request.headers.authorization === basic) {
        return false;
      }
      answer(401, "", { "www-authenticate": 'Basic realm="registry"' });
      return true;
    };
    const images = Array.from({ length: imageCount }, (_, i) => ({
      name: `gcr.io/anthos-baremetal-release/component-${i}:1.30.0-gke.1930`,
      made: image(`component-${i}`),
    }));
    const source = await writePackage(folder, layout(images.map(({ name, made }) => named(made, name))), "tar");
    const digests = images.flatMap(({ name, made }) =>
      [name, name.replace("gcr.io", `${registry.hostPort}/${namespace}`)].map((known) => [known, made.root.digest]),
    );
    const imagesPath = join(folder, "images.json");
    writeFileSync(imagesPath, JSON.stringify(Object.fromEntries(digests)));
    const site: Site = {
      source,
      endpoint: `${registry.url}/v2/${namespace}`,
      caCertPath,
      hosts: ["somehost.io", "otherhost.io"],
      username,
      password,
    };
    return new ScaleRegistry(registry, certificates, site, imagesPath);
  }

  async stop(): Promise<void> {
    await this.registry.stop();
    this.certificates.remove();
  }
}
