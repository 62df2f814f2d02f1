import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";

import { must } from "./execute";

/** A certificate authority of the lab. */
export interface CertificateAuthority {
  readonly name: string;
  /** PEM file of its certificate: what a user gives as caCertPath. */
  readonly certPath: string;
  readonly keyPath: string;
}

export interface ServerCertificate {
  readonly certPath: string;
  readonly keyPath: string;
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const days = "3650";

/** Makes a new authority; each lab has its own, so that no certificate outlives the lab it was made for. */
export async function createAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  mkdirSync(folder, { recursive: true });
  const certPath = join(folder, `${name}.crt`);
  const keyPath = join(folder, `${name}.key`);
  await must("openssl", [
    "req",
    "-x509",
    ...ecKey,
    "-keyout",
    keyPath,
    "-out",
    certPath,
    "-days",
    days,
    "-subj",
    `/CN=registry mirror lab ${name}`,
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
  ]);
  return { name, certPath, keyPath };
}

/** Options for certificates that are wrong on purpose. */
export interface CertificateOptions {
  /** Not valid any more since yesterday. */
  readonly expired?: boolean;
}

/** Issues a server certificate for names and addresses. The file holds the chain, leaf first. */
export async function issueCertificate(
  authority: CertificateAuthority,
  folder: string,
  label: string,
  names: readonly string[],
  options: CertificateOptions = {},
): Promise<ServerCertificate> {
  mkdirSync(folder, { recursive: true });
  const file = (suffix: string): string => join(folder, `${label}.${suffix}`);
  const alternatives = names.map((name) => (isIP(name) ? `IP:${name}` : `DNS:${name}`)).join(",");
  writeFileSync(
    file("ext"),
    `subjectAltName=${alternatives}\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n`,
  );
  await must("openssl", ["req", ...ecKey, "-keyout", file("key"), "-out", file("csr"), "-subj", `/CN=${label}`]);
  if (options.expired) await issueExpired(authority, folder, label);
  else {
    // The serial comes from the folder of the leaf: two registries that start together must not share a serial file.
    await must("openssl", [
      "x509",
      "-req",
      "-in",
      file("csr"),
      "-CA",
      authority.certPath,
      "-CAkey",
      authority.keyPath,
      "-CAserial",
      file("srl"),
      "-CAcreateserial",
      "-out",
      file("leaf"),
      "-days",
      days,
      "-extfile",
      file("ext"),
    ]);
  }
  writeFileSync(file("crt"), readFileSync(file("leaf"), "utf8") + readFileSync(authority.certPath, "utf8"));
  return { certPath: file("crt"), keyPath: file("key") };
}

// "openssl x509" takes a start date only from 3.4 on; "openssl ca" always did, but wants a small database.
async function issueExpired(authority: CertificateAuthority, folder: string, label: string): Promise<void> {
  const base = join(folder, `${label}.ca`);
  mkdirSync(base, { recursive: true });
  writeFileSync(join(base, "index.txt"), "");
  writeFileSync(join(base, "serial"), "1000\n");
  writeFileSync(
    join(base, "ca.cnf"),
    `[ca]\ndefault_ca=lab\n[lab]\ndatabase=${base}/index.txt\nserial=${base}/serial\nnew_certs_dir=${base}\ndefault_md=sha256\npolicy=any\nunique_subject=no\n[any]\ncommonName=supplied\n`,
  );
  await must("openssl", [
    "ca",
    "-batch",
    "-notext",
    "-config",
    join(base, "ca.cnf"),
    "-in",
    join(folder, `${label}.csr`),
    "-out",
    join(folder, `${label}.leaf`),
    "-cert",
    authority.certPath,
    "-keyfile",
    authority.keyPath,
    "-startdate",
    "20200101000000Z",
    "-enddate",
    "20200102000000Z",
    "-extfile",
    join(folder, `${label}.ext`),
  ]);
}
