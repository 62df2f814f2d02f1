import type { Problem } from "../../model/problem";
import { invalidArgument } from "../../model/problem";
import type { NodeConnection } from "../../node";
import { isUnknown } from "../../pulumi/plainValue";
import { connectionShapeProblems } from "./shapes";

/** What can be said of a connection without dialling. */
export function connectionProblems(connection: NodeConnection, name = "connection"): Problem[] {
  const problems = connectionShapeProblems(connection, name);
  if (problems.length > 0) {
    return problems;
  }
  const { host } = connection;
  if (!isUnknown(host) && (host === "" || /[\s/@]/.test(host))) {
    problems.push(
      invalidArgument(
        `${name}.host: "${host}" is not a host name or address; give the plain one (the user goes into ${name}.user, the port into ${name}.port).`,
      ),
    );
  }
  if (connection.privateKey !== undefined && connection.privateKeyPath !== undefined) {
    const text = `${name}: both privateKey and privateKeyPath are given; leave one of them out.`;
    problems.push({ code: "NODE_KEY", text });
  }
  if (connection.hostKey !== undefined && connection.knownHostsPath !== undefined) {
    const text = `${name}: both hostKey and knownHostsPath are given; leave one of them out.`;
    problems.push({ code: "NODE_KNOWN_HOSTS", text });
  }
  if (
    connection.insecureIgnoreHostKey === true &&
    (connection.hostKey !== undefined || connection.knownHostsPath !== undefined)
  ) {
    const text = `${name}: insecureIgnoreHostKey makes hostKey and knownHostsPath meaningless; leave it out, or them.`;
    problems.push({ code: "NODE_KNOWN_HOSTS", text });
  }
  if (connection.proxy !== undefined && !isUnknown(connection.proxy)) {
    problems.push(...connectionProblems(connection.proxy, `${name}.proxy`));
  }
  return problems;
}
