/**
 * What a server that speaks TLS answers to plain HTTP: status 400, and only its words tell that it is that.
 *
 * Sources: Go 1.25, net/http/server.go ("Client sent an HTTP request to an HTTPS server."); nginx 1.29,
 * ngx_http_special_response.c ("The plain HTTP request was sent to HTTPS port"); Apache httpd 2.4, mod_ssl ("Instead use
 * the HTTPS scheme to access this URL, please.").
 */
const wantsTls = /\bhttps (server|port|scheme)\b/i;

export function saysWantsTls(message: string): boolean {
  return wantsTls.test(message);
}
