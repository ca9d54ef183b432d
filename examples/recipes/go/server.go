// A server that finds its listening socket at descriptor 3, and leaves when it has answered all.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	listener, err := net.FileListener(os.NewFile(3, "http"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "hello from Go, pid %d\n", os.Getpid())
	})
	server := &http.Server{}
	gone := make(chan struct{})
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go func() {
		<-asked
		server.Shutdown(context.Background())
		close(gone)
	}()
	notify("READY=1")
	if err := server.Serve(listener); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-gone
}

// notify says something to who started us, as sd_notify(3) does.
func notify(text string) {
	address := &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"}
	if connection, err := net.DialUnix("unixgram", nil, address); err == nil {
		connection.Write([]byte(text))
		connection.Close()
	}
}
