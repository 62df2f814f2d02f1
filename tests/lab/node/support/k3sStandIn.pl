#!/usr/bin/perl
# A STAND-IN for k3s or RKE2 (by the name that it is started under), of which a lab node has the start-up of containerd
# alone: it reads registries.yaml, deletes and writes folders of the hosts directory, writes config.toml, and runs the
# node's own containerd as its child. Made from k3s, read and written anew:
#   pkg/agent/containerd/config.go   getHostConfigs, normalizeEndpointAddress, cleanContainerdHosts, writeContainerdHosts
#   pkg/agent/templates/templates.go ContainerdConfigTemplate(V3), HostsTomlTemplate, trimEmpty
#   pkg/spegel/spegel.go             InjectMirror (the embedded registry)
#   pkg/agent/util/file.go           WriteFile
#   cmd/k3s/main.go                  findDataDir (its file and the folder beside it, with its arguments before them)
# Left out: stream_server_port = "10010", as all nodes of the lab share one network. No Kubernetes, no download, none of its other work. registries.yaml may have maps, lists of texts and quoted texts.
# /etc/stand-in.release (default 1.35.1) says which release it plays: before September 2024 a start deletes every folder.
use strict;
use warnings;

my ($program) = $0 =~ m{([^/]+)$};
my $release = slurp("/etc/stand-in.release") // "1.35.1";
chomp $release;
if (($ARGV[0] // "") eq "--version") {
    printf "%s version v%s+%s (stand-in)\n", $program, $release, $program eq "rke2" ? "rke2r1" : "k3s1";
    exit 0;
}
my $folder = data_dir();
my $data = "$folder/agent";
my $certs = "$data/etc/containerd/certs.d";
my $socket = "/run/k3s/containerd/containerd.sock";
my $yaml = parse_yaml(slurp("/etc/rancher/$program/registries.yaml") // "");
my $flags = parse_yaml(slurp("/etc/rancher/$program/config.yaml") // "");
my $no_default = ($flags->{"disable-default-registry-endpoint"} // "") eq "true";
my $embedded = ($flags->{"embedded-registry"} // "") eq "true" ? "127.0.0.1:6443" : "";

my %mirrors = %{ $yaml->{mirrors} // {} };
my %configs = %{ $yaml->{configs} // {} };
if ($embedded) {
    for my $host (keys %mirrors) {
        my %mirror = %{ $mirrors{$host} || {} };
        $mirrors{$host} = { %mirror, endpoint => ["https://$embedded/v2", @{ $mirror{endpoint} || [] }] };
    }
    $configs{$embedded} = { tls => { ca_file => "$data/server-ca.crt", cert_file => "$data/client-k3s-controller.crt", key_file => "$data/client-k3s-controller.key" } };
}

my %hosts = host_configs();
clean();
for my $host (keys %hosts) {
    mkdir_all("$certs/$host", 0700);
    spew("$certs/$host/hosts.toml", trim_empty(hosts_toml($hosts{$host})));
}
spew("$data/etc/containerd/config.toml", trim_empty(config_toml()));
mkdir_all($_, 0755) for "/run/k3s/containerd";

my $child = fork // die "fork: $!";
if ($child == 0) {
    # Found on the PATH, so its arguments begin with the bare name.
    my $file = "$folder/" . ($program eq "rke2" ? "bin" : "data/current/bin") . "/containerd";
    exec { $file } "containerd", "-c", "$data/etc/containerd/config.toml", "-a", $socket, "--state", "/run/k3s/containerd", "--root", "/var/lib/containerd";
    exit 127;
}
$SIG{TERM} = sub { kill "TERM", $child; waitpid $child, 0; exit 0 };
waitpid $child, 0;
exit 1;

sub data_dir {
    for my $n (0 .. $#ARGV) {
        return $1 if $ARGV[$n] =~ /^(?:--data-dir|-d)=(.*)$/;
        return $ARGV[$n + 1] if $ARGV[$n] =~ /^(?:--data-dir|-d)$/;
    }
    my $found = "/var/lib/rancher/$program";
    my $main = "/etc/rancher/$program/config.yaml";
    for my $file ($main, sort glob("$main.d/*.yaml"), glob("$main.d/*.yml")) {
        $found = parse_yaml(slurp($file) // "")->{"data-dir"} // $found;
    }
    return $found;
}

sub host_configs {
    my %found;
    for my $host (keys %configs) {
        my ($registry, $url) = normalize($host);
        $found{ $host eq "*" ? "_default" : $host } =
            { default => { url => $host eq "*" ? undef : $url, config => $configs{$host} || {} }, endpoints => [] };
    }
    for my $host (keys %mirrors) {
        my ($own, $url) = normalize($host);
        my $config = $found{$host};
        if (!$config) {
            $config = { default => { url => $url, config => config_for($host) }, endpoints => [] };
            if ($no_default) { $config->{default} = undef }
            elsif ($host eq "*") { $config->{default} = { url => "", config => {} } }
        }
        my %seen;
        my @all = @{ ($mirrors{$host} || {})->{endpoint} || [] };
        for my $n (0 .. $#all) {
            my ($registry, $to, $override) = normalize($all[$n]);
            next if $seen{$to}++;
            my $rewrites = $embedded && index($to, "//$embedded/") >= 0 ? {} : ($mirrors{$host} || {})->{rewrite} || {};
            my $endpoint = { url => $to, override => $override, rewrites => $rewrites, config => config_for($registry) };
            if ($n == $#all && defined $config->{default} && ($config->{default}{url} // "") eq $to) { $config->{default} = $endpoint }
            else { push @{ $config->{endpoints} }, $endpoint }
        }
        $found{ $host eq "*" ? "_default" : $host } = $config;
    }
    for my $host (keys %found) {
        my $default = $found{$host}{default};
        my $says = $default && ($default->{override} || $default->{config}{auth} || $default->{config}{tls} || %{ $default->{rewrites} || {} });
        delete $found{$host} if !@{ $found{$host}{endpoints} } && !$says;
    }
    return %found;
}

# normalize ENDPOINT: the host as configs name it, the URL, and whether its path is taken as it is.
sub normalize {
    my ($endpoint) = @_;
    my ($scheme, $host, $path) = $endpoint =~ m{^(?:([a-z]+)://)?([^/]*)(.*)$};
    my $local = $host =~ /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/;
    $scheme //= $local && $host =~ /:(\d+)$/ && $1 ne "443" && $host ne $embedded ? "http" : "https";
    my $registry = $host;
    $host = "registry-1.docker.io" if $host eq "docker.io";
    $registry = "docker.io" if $host eq "registry-1.docker.io";
    return ($registry, "$scheme://$host/v2", 0) if $path eq "" || $path eq "/" || $path eq "/v2";
    return ($registry, "$scheme://$host$path", 1);
}

sub config_for {
    my ($host) = @_;
    return $configs{"registry-1.docker.io"} if $host eq "docker.io" && $configs{"registry-1.docker.io"};
    return $configs{$host} || {};
}

sub clean {
    my ($major, $minor, $patch) = split /\./, $release;
    my %since = (28 => 14, 29 => 9, 30 => 5, 31 => 1);
    if ($minor < 28 || $patch < ($since{$minor} // 0)) { system "rm", "-rf", $certs; return }
    system "rm", "-rf", map { "$certs/$_" } keys %hosts if %hosts;
    for my $file (glob "$certs/*/hosts.toml") {
        my ($line) = (slurp($file) // "") =~ /^([^\n]*\n)/;
        next unless defined $line && $line eq "# File generated by $program. DO NOT EDIT.\n";
        $file =~ s{/hosts\.toml$}{};
        system "rm", "-rf", $file;
    }
}

sub tls_lines {
    my ($config, $indent) = @_;
    my $tls = $config->{tls} or return "";
    my $text = "";
    $text .= qq{${indent}ca = ["$tls->{ca_file}"]\n} if $tls->{ca_file};
    $text .= sprintf qq{%sclient = [["%s", "%s"]]\n}, $indent, $tls->{cert_file} // "", $tls->{key_file} // "" if $tls->{cert_file} || $tls->{key_file};
    $text .= "${indent}skip_verify = true\n" if ($tls->{insecure_skip_verify} // "") eq "true";
    return $text;
}

sub hosts_toml {
    my ($config) = @_;
    my $text = "# File generated by $program. DO NOT EDIT.\n";
    if (my $default = $config->{default}) {
        $text .= qq{server = "$default->{url}"\ncapabilities = ["pull", "resolve", "push"]\n} if defined $default->{url};
        $text .= tls_lines($default->{config}, "");
    }
    $text .= "[host]\n";
    for my $endpoint (@{ $config->{endpoints} }) {
        $text .= qq{[host."$endpoint->{url}"]\n  capabilities = ["pull", "resolve"]\n};
        $text .= "  override_path = true\n" if $endpoint->{override};
        $text .= tls_lines($endpoint->{config}, "  ");
        my %rewrites = %{ $endpoint->{rewrites} };
        $text .= qq{  [host."$endpoint->{url}".rewrite]\n} if %rewrites;
        $text .= qq{    "$_" = "$rewrites{$_}"\n} for sort keys %rewrites;
    }
    return $text;
}

sub config_toml {
    my ($major) = `/usr/bin/containerd --version` =~ /\sv?(\d+)\.\d+/;
    my $new = $major >= 2;
    my $images = $new ? "io.containerd.cri.v1.images" : "io.containerd.grpc.v1.cri";
    my $runtime = $new ? "io.containerd.cri.v1.runtime" : "io.containerd.grpc.v1.cri";
    my $version = $new ? 3 : 2;
    my $text = <<"EOT";
# File generated by $program. DO NOT EDIT. Use config.toml.tmpl instead.
version = $version
root = "/var/lib/containerd"
state = "/run/k3s/containerd"

[grpc]
  address = "$socket"

[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = "127.0.0.1"
EOT
    $text .= "\n[plugins.'$images']\n  use_local_image_pull = true\n" if $new;
    $text .= <<"EOT";

[plugins.'$runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
EOT
    # Releases before January 2024, and templates that leave it out, name no directory.
    $text .= "\n[plugins.'$images'.registry]\n  config_path = \"$certs\"\n" unless -e "/etc/stand-in.no-config-path";
    for my $host (sort keys %configs) {
        my $auth = ($configs{$host} || {})->{auth} or next;
        $text .= "\n[plugins.'$images'.registry.configs.'$host'.auth]\n";
        $text .= qq{  $_->[0] = "$auth->{$_->[1]}"\n}
            for grep { $auth->{ $_->[1] } } ["username", "username"], ["password", "password"], ["auth", "auth"], ["identitytoken", "identity_token"];
    }
    return $text;
}

sub trim_empty {
    return join "", map { /^\[/ ? "\n$_\n" : "$_\n" } grep { /\S/ } split /\n/, $_[0];
}

sub parse_yaml {
    my @lines;
    for my $line (split /\n/, $_[0]) {
        $line =~ s/(^|\s)#.*$//;
        next if $line !~ /\S/ || $line =~ /^---/;
        my ($indent, $rest) = $line =~ /^( *)(.*?)\s*$/;
        push @lines, [length $indent, $rest];
    }
    return block(\@lines, 0) || {};
}

sub block {
    my ($lines, $least) = @_;
    return undef if !@$lines || $lines->[0][0] < $least;
    my $indent = $lines->[0][0];
    if ($lines->[0][1] =~ /^- /) {
        my @list;
        while (@$lines && $lines->[0][0] == $indent && $lines->[0][1] =~ /^-\s+(.*)$/) { push @list, scalar_of($1); shift @$lines }
        return \@list;
    }
    my %map;
    while (@$lines && $lines->[0][0] == $indent) {
        my ($key, $value) = (shift @$lines)->[1] =~ /^("(?:[^"]*)"|'(?:[^']*)'|[^\s].*?):(?:\s+(.*))?$/ or last;
        $key = scalar_of($key);
        if (defined $value && $value ne "") { $map{$key} = scalar_of($value); next }
        # A list may stand at its key's own indent.
        my $list = @$lines && $lines->[0][0] == $indent && $lines->[0][1] =~ /^- /;
        $map{$key} = block($lines, $list ? $indent : $indent + 1);
    }
    return \%map;
}

sub scalar_of {
    my ($text) = @_;
    return [map { scalar_of($_) } split /\s*,\s*/, $1] if $text =~ /^\[\s*(.*?)\s*\]$/;
    return $2 if $text =~ /^(["'])(.*)\1$/;
    return $text;
}

sub slurp {
    open my $file, "<", $_[0] or return undef;
    local $/;
    return <$file>;
}

sub mkdir_all {
    my ($path, $mode) = @_;
    (my $parent = $path) =~ s{/[^/]+$}{};
    mkdir_all($parent, $mode) if $parent ne "" && !-d $parent;
    mkdir $path, $mode;
}

sub spew {
    my ($path, $text) = @_;
    (my $parent = $path) =~ s{/[^/]+$}{};
    mkdir_all($parent, 0755);
    umask 0022;
    open my $file, ">", $path or die "$path: $!";
    print $file $text;
    close $file;
}
