// Command kstatus reads Kubernetes objects from standard input, a JSON array, and prints what the real kstatus
// rules make of each: its status and message, a JSON array in the same order.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	// Not encoding/json: a generation must arrive as a whole number.
	var objects []any
	if err := utiljson.Unmarshal(text, &objects); err != nil {
		return err
	}
	answers := make([]answer, 0, len(objects))
	for _, object := range objects {
		result, err := status.Compute(&unstructured.Unstructured{Object: object.(map[string]any)})
		if err != nil {
			return err
		}
		answers = append(answers, answer{string(result.Status), result.Message})
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}
