// Command coredns is the cluster's DNS with the few plugins a test cluster
// uses. Importing the whole of CoreDNS would pull in cloud SDKs that treble
// its build time; naming the plugins here is its supported way to be small.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/template"
)

func init() {
	dnsserver.Directives = []string{"bind", "errors", "cache", "kubernetes", "template"}
}

func main() {
	coremain.Run()
}
