#!/usr/bin/perl
# Stands in for k0s as far as it concerns containerd. Made after k0sproject/k0s at dff90cee (releases from 1.36 on) and v1.35.1+k0s.0
# (before): pkg/component/worker/containerd/component.go (setupConfig, watchDropinConfigs, restart), configurer.go (handleImports,
# marshalContainerdConfig), pkg/debounce and pkg/supervisor (pid file, respawning). Its times are 0.3 s and 0.2 s instead of 3 s and 5 s.
# Before 1.36 it puts drop-ins with CRI tables one behind the other, where k0s merges them. Not there: anything of Kubernetes.
use strict;
use warnings;
use POSIX qw(:sys_wait_h);

my ($debounce, $respawn) = (0.3, 0.2);
my ($conf, $folder, $run) = ("/etc/k0s/containerd.toml", "/etc/k0s/containerd.d", "/run/k0s");
my $merging = ($ARGV[0] // "") eq "merging";
# As cmd/worker: what is told is for programs and images; configuration and sockets stay where they are.
my ($data) = map { /^--data-dir=(.*)$/ } @ARGV, "--data-dir=/var/lib/k0s";

sub slurp { my ($path) = @_; open my $in, "<", $path or return ""; local $/; my $text = <$in>; return $text; }
sub spit { my ($path, $text) = @_; open my $out, ">", "$path.tmp" or die; print $out $text; close $out; rename "$path.tmp", $path; }

sub setup_config {
    return if -e $conf && slurp($conf) !~ /^# k0s_managed=true$/m;
    mkdir $folder, 0755;
    my @drop_ins = sort glob "$folder/*.toml";
    if (!$merging) {
        for (@drop_ins) { die "$_: refused before the start" if slurp($_) =~ /^version = [^3]|io\.containerd\.grpc\.v1\.cri/m }
        spit($conf, "# k0s_managed=true\nversion = 3\nimports = [\"$folder/*.toml\"]\n\n[plugins]\n"
              . "  [plugins.\"io.containerd.cri.v1.images\".pinned_images]\n      sandbox = \"registry.k8s.io/pause:3.10\"\n");
        return;
    }
    my $cri = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"registry.k8s.io/pause:3.10\"\n";
    my @imports;
    for my $path (@drop_ins) {
        my $text = slurp($path);
        if ($text =~ /io\.containerd\.grpc\.v1\.cri/) { $text =~ s/^version = .*\n//m; $cri .= $text; }
        else { push @imports, $path; }
    }
    spit("$run/containerd-cri.toml", $cri);
    my $list = join ", ", map { "\"$_\"" } @imports, "$run/containerd-cri.toml";
    spit($conf, "# k0s_managed=true\nimports = [$list]\nversion = 2\n");
}

my ($child, $stopping) = (0, 0);
sub start {
    $child = fork;
    if (!$child) {
        exec "$data/bin/containerd", "--root=$data/containerd", "--state=$run/containerd", "--address=$run/containerd.sock",
          "--log-level=info", "--config=$conf" or exit 1;
    }
    spit("$run/containerd.pid", "$child\n");
    open my $log, ">>", "$run/starts"; print $log "$child\n"; close $log;
}

mkdir $run;
setup_config();
start();
$SIG{TERM} = sub { $stopping = 1; };

# inotify by its system calls, as there is no module for it here: created, deleted, moved, written.
my ($init, $add) = `uname -m` =~ /aarch64/ ? (26, 27) : (294, 254);
my $fd = syscall($init, 2048);
my $watched = "$folder\0";
syscall($add, $fd, $watched, 0x2 | 0x40 | 0x80 | 0x100 | 0x200) >= 0 or die "inotify: $!";
open my $events, "<&=", $fd or die;

my ($pending, $dead) = (0, 0);
while (!$stopping) {
    select undef, undef, undef, 0.05;
    $pending = time_now() + $debounce if sysread($events, my $buffer, 65536);
    if ($pending && time_now() > $pending) { $pending = 0; setup_config() if $merging; kill "HUP", $child; }
    if (!$dead && waitpid($child, WNOHANG) == $child) { unlink "$run/containerd.pid"; $dead = time_now() + $respawn; }
    if ($dead && time_now() > $dead) { $dead = 0; start(); }
}
kill "TERM", $child;
waitpid $child, 0;
unlink "$run/containerd.pid";

sub time_now { my ($seconds) = split " ", slurp("/proc/uptime"); return $seconds; }
