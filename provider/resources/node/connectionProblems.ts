import { withCode } from "../../model/codes";
import type { NodeConnection } from "../../node";
import { isUnknown } from "../../pulumi/plainValue";
import { connectionShapeProblems } from "../arguments/shapes";

/** What can be said of a connection without dialling. */
export function connectionProblems(connection: NodeConnection, name = "connection"): string[] {
  const problems = connectionShapeProblems(connection, name);
  if (problems.length > 0) {
    return problems;
  }
  const { host } = connection;
  if (!isUnknown(host) && (host === "" || /[\s/@]/.test(host))) {
    problems.push(
      `${name}.host: "${host}" is not a host name or address; give the plain one (the user goes into ${name}.user, the port into ${name}.port).`,
    );
  }
  if (connection.privateKey !== undefined && connection.privateKeyPath !== undefined) {
    problems.push(
      withCode(`${name}: both privateKey and privateKeyPath are given; leave one of them out.`, "NODE_KEY"),
    );
  }
  if (connection.hostKey !== undefined && connection.knownHostsPath !== undefined) {
    problems.push(
      withCode(`${name}: both hostKey and knownHostsPath are given; leave one of them out.`, "NODE_KNOWN_HOSTS"),
    );
  }
  if (
    connection.insecureIgnoreHostKey === true &&
    (connection.hostKey !== undefined || connection.knownHostsPath !== undefined)
  ) {
    problems.push(
      withCode(
        `${name}: insecureIgnoreHostKey makes hostKey and knownHostsPath meaningless; leave it out, or them.`,
        "NODE_KNOWN_HOSTS",
      ),
    );
  }
  if (connection.proxy !== undefined && !isUnknown(connection.proxy)) {
    problems.push(...connectionProblems(connection.proxy, `${name}.proxy`));
  }
  return problems;
}
