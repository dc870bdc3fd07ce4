// Command etcd is the cluster's store, built from its own module so that its
// version is locked apart from the one Kubernetes' client library wants.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
