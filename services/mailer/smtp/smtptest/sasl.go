package smtptest

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // CRAM-MD5 is what is tested
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

var errWrong = errors.New("wrong turn")

// loginServer is LOGIN: two questions.
type loginServer struct {
	check func(bool) error
	turn  int
	user  string
}

// Next takes a response and returns the next challenge.
func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	s.turn++
	switch s.turn {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		s.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, s.check(s.user == User && string(response) == Password)
}

// cramServer is CRAM-MD5 (RFC 2195).
type cramServer struct {
	check func(bool) error
	asked bool
}

// Next takes a response and returns the next challenge.
func (s *cramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	const question = "<1896.697170952@mail.test>"
	if !s.asked {
		s.asked = true
		return []byte(question), false, nil
	}
	h := hmac.New(md5.New, []byte(Password))
	h.Write([]byte(question))
	return nil, true, s.check(string(response) == User+" "+hex.EncodeToString(h.Sum(nil)))
}

// tokenServer is XOAUTH2.
type tokenServer struct{ check func(bool) error }

// Next takes a response and returns the next challenge.
func (s *tokenServer) Next(response []byte) (challenge []byte, done bool, err error) {
	return nil, true, s.check(string(response) == "user="+User+"\x01auth=Bearer "+Password+"\x01\x01")
}

// scramServer is SCRAM-SHA-256 (RFC 5802), without channel binding.
type scramServer struct {
	check        func(bool) error
	turn         int
	first, nonce string
}

const scramSalt, scramRounds = "a grain of salt", 4096

// Next takes a response and returns the next challenge.
func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if len(response) == 0 && s.turn == 0 {
		return nil, false, nil // the client begins with its next line
	}
	s.turn++
	switch s.turn {
	case 1:
		bare, ok := strings.CutPrefix(string(response), "n,,")
		_, nonce, cut := strings.Cut(bare, ",r=")
		if !ok || !cut {
			return nil, true, errWrong
		}
		s.nonce = nonce + "server"
		question := "r=" + s.nonce + ",s=" + base64.StdEncoding.EncodeToString([]byte(scramSalt)) + ",i=4096"
		s.first = bare + "," + question
		return []byte(question), false, nil
	case 2:
		without, proof, ok := strings.Cut(string(response), ",p=")
		if !ok || without != "c=biws,r="+s.nonce {
			return nil, true, errWrong
		}
		salted, err := pbkdf2.Key(sha256.New, Password, []byte(scramSalt), scramRounds, sha256.Size)
		if err != nil {
			return nil, true, err
		}
		key := sum(salted, "Client Key")
		stored := sha256.Sum256(key)
		signature := sum(stored[:], s.first+","+without)
		for i := range key {
			key[i] ^= signature[i]
		}
		user := strings.HasPrefix(s.first, "n="+User+",")
		if err := s.check(user && proof == base64.StdEncoding.EncodeToString(key)); err != nil {
			return nil, true, err
		}
		answer := "v=" + base64.StdEncoding.EncodeToString(sum(sum(salted, "Server Key"), s.first+","+without))
		return []byte(answer), false, nil
	}
	return nil, true, nil
}

func sum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
