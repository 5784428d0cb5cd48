package httpapi

import (
	"net/http"
	"strconv"

	"github.com/myriad-mind/myriad"
)

const (
	maxLimit  = 1000
	maxCursor = 2048
)

// pageOf reads limit and cursor; checkQuery has judged the query as a whole.
func pageOf(r *http.Request) (myriad.Page, error) {
	q := r.URL.Query()
	var page myriad.Page
	var mistakes []myriad.Mistake
	if q.Has("limit") {
		var err error
		page.Limit, err = strconv.Atoi(q.Get("limit"))
		if err != nil || page.Limit < 1 || page.Limit > maxLimit {
			mistakes = append(mistakes, myriad.Mistake{Path: "query.limit", Rule: "must be a whole number within 1 and " + strconv.Itoa(maxLimit)})
		}
	}
	page.Cursor = q.Get("cursor")
	if len(page.Cursor) > maxCursor {
		mistakes = append(mistakes, badCursor)
	}
	return page, myriad.Invalid(mistakes)
}

var badCursor = myriad.Mistake{Path: "query.cursor", Rule: "must be the next_cursor of an earlier page"}

// cursorMistake names the cursor where the store finds a page's request invalid: nothing else of it can be by then.
func cursorMistake(page myriad.Page, err error) error {
	if page.Cursor != "" && myriad.ErrorCode(err) == myriad.CodeInvalid {
		return myriad.Invalid([]myriad.Mistake{badCursor})
	}
	return err
}
