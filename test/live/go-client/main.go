// A NATS client in Go: connects by NATS_URL, makes one round trip over NATS_SUBJECT, or over an inbox where none is named,
// prints what came of it. The URL holds the token, so it is no argument: ps would show it.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
)

func main() {
	rtt, err := roundTrip(os.Getenv("NATS_URL"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("connected", rtt)
}

func roundTrip(url string) (time.Duration, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	subject := os.Getenv("NATS_SUBJECT")
	if subject == "" {
		subject = nats.NewInbox()
	}
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := nc.Publish(sub.Subject, []byte("hello")); err != nil {
		return 0, err
	}
	if _, err := sub.NextMsg(5 * time.Second); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}
