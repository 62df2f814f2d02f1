import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pair {
  cert: string;
  key: string;
}

/** Certificates for a test, made by the openssl program on the spot: none that is kept in a repository stays valid. */
export class CertificateFolder {
  readonly folder = mkdtempSync(join(tmpdir(), "registry-test-ca-"));
  private count = 0;

  authority(name: string): Pair {
    const [key, cert] = [this.path("key"), this.path("crt")];
    this.openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      key,
      "-out",
      cert,
      "-days",
      "2",
      "-subj",
      `/O=registry test/CN=${name}`,
    );
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  }

  /** @param names `IP:127.0.0.1`, `DNS:localhost` */
  server(authority: Pair, names: string[], validity: string[] = ["-days", "2"]): Pair {
    const [key, request, cert, extensions, caCert, caKey] = [
      this.path("key"),
      this.path("csr"),
      this.path("crt"),
      this.path("ext"),
      this.path("crt"),
      this.path("key"),
    ];
    writeFileSync(caCert, authority.cert);
    writeFileSync(caKey, authority.key);
    writeFileSync(extensions, `subjectAltName=${names.join(",")}\n`);
    this.openssl(
      "req",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      key,
      "-out",
      request,
      "-subj",
      "/CN=the registry",
    );
    this.openssl(
      "x509",
      "-req",
      "-in",
      request,
      "-CA",
      caCert,
      "-CAkey",
      caKey,
      "-set_serial",
      String(++this.count),
      "-extfile",
      extensions,
      "-out",
      cert,
      ...validity,
    );
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  }

  file(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private path(kind: string): string {
    return join(this.folder, `${++this.count}.${kind}`);
  }

  private openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  }
}
